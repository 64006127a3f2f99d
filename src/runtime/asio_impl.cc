// Asio itself, compiled once for the program (ASIO_SEPARATE_COMPILATION).
#include <asio/impl/src.hpp>
