// tako completion: what a shell reads to complete the words of a command line of ours.
//
// The scripts know nothing of programs and options. At each TAB they run `tako --complete WORDS...`, which answers from
// the tables that also parse the command line (CommandLine): they stay right when tako is replaced by another release.
//   one candidate a line, `word<tab>what it is` (perhaps empty); a line `:file` or `:folder`: a path is expected
#include <cstdio>
#include <string>

#include "roles/command_line.h"
#include "roles/roles.h"

namespace tako::roles {
namespace {

// COMP_LINE and not COMP_WORDS, which bash cuts at ':' and '=' too; what it replaces begins behind the last of these.
constexpr char kBash[] = R"(# tako completion bash
_tako() {
  local words current line word candidate
  read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
  current=${words[-1]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :file) compopt -o filenames 2>/dev/null
             while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current") ;;
      :folder) compopt -o filenames 2>/dev/null
               while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$current") ;;
      *) COMPREPLY+=("${line%%$'\t'*}") ;;
    esac
  done < <("${words[0]/#\~/$HOME}" --complete "${words[@]:1}" 2>/dev/null)
  if [[ $current == *[:=]* ]]; then
    word=${current%"${current##*[:=]}"}
    for candidate in "${!COMPREPLY[@]}"; do COMPREPLY[candidate]=${COMPREPLY[candidate]#"$word"}; done
  fi
}
complete -F _tako tako
)";

constexpr char kZsh[] = R"(#compdef tako
_tako() {
  local line
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :file) _files ;;
      :folder) _files -/ ;;
      *) candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done < <("${(Q)words[1]/#\~/$HOME}" --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#candidates )) && _describe tako candidates
}
if [ "$funcstack[1]" = _tako ]; then _tako "$@"; else compdef _tako tako; fi
)";

constexpr char kFish[] = R"(# tako completion fish
function __tako_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] --complete $words[2..-1] 2>/dev/null)
        switch $line
            case :file
                __fish_complete_path (commandline -ct)
            case :folder
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c tako -f -a '(__tako_complete)'
)";

const char* script_of(const std::string& shell) {
  if (shell == "bash") return kBash;
  return shell == "zsh" ? kZsh : kFish;
}

}  // namespace

int run_completion(int argc, char** argv) {
  std::string shell;
  CommandLine app("Prints what a shell needs to complete commands, options and topics at TAB.", "tako completion");
  app.option("shell", shell, "the shell").required().one_of({"bash", "zsh", "fish"});
  app.footer("Example: source <(tako completion bash)");
  if (const auto ended = app.parse(argc, argv)) return *ended;
  std::fputs(script_of(shell), stdout);
  return 0;
}

}  // namespace tako::roles
