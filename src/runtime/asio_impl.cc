// Asio itself, compiled once for the program (ASIO_SEPARATE_COMPILATION).
//
// A header of the standard library comes first: Asio 1.22 asks one that was included before it whether aligned_alloc
// is there, and a different answer here than in other files frees with delete what malloc gave.
#include <cstdlib>

#include <asio/impl/src.hpp>
