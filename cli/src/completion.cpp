#include "completion.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <vector>

namespace wherry::cli {
namespace {

/// A command as completion sees it: its place ("/session/list") and what may follow.
struct place {
  struct word {
    std::string text;
    std::string description;
  };
  std::string path;
  std::vector<word> words;
};

void collect(CLI::App const& app, std::string const& path, std::vector<place>& into) {
  place here{path, {}};
  auto const children = app.get_subcommands([](CLI::App const*) { return true; });
  for (auto const* child : children) here.words.push_back({child->get_name(), child->get_description()});
  for (auto const* option : app.get_options())
    for (auto const& name : option->get_lnames()) here.words.push_back({"--" + name, option->get_description()});
  into.push_back(std::move(here));
  for (auto const* child : children) collect(*child, path + '/' + child->get_name(), into);
}

// Finds the command that the cursor is in; the same words work in both shells.
std::string find_place(std::vector<place> const& places, std::string const& words) {
  std::string out = "  local place='' word\n  for word in " + words + "; do\n    case \"$place/$word\" in\n";
  for (auto const& p : places)
    if (!p.path.empty()) out += "      '" + p.path + "') place='" + p.path + "' ;;\n";
  return out + "    esac\n  done\n";
}

std::string bash_script(std::vector<place> const& places) {
  std::string out = "# Completion of wherry for bash: source <(wherry completion bash)\n_wherry() {\n";
  out += find_place(places, "\"${COMP_WORDS[@]:1:COMP_CWORD-1}\"");
  out +=
      "  local choices=''\n  case \"${COMP_WORDS[COMP_CWORD-1]}\" in\n"
      "    --kernels) choices='auto scalar avx2 avx512' ;;\n"
      "    completion) choices='bash zsh' ;;\n"
      "    --model|--store|--output) return ;;\n"
      "    *) case \"$place\" in\n";
  for (auto const& p : places) {
    out += "      '" + p.path + "') choices='";
    for (auto const& w : p.words) out += w.text + ' ';
    out.back() = '\'';
    out += " ;;\n";
  }
  out +=
      "    esac ;;\n  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
      "}\ncomplete -o default -F _wherry wherry\n";
  return out;
}

// Inside single quotes, as "word:description".
std::string zsh_text(std::string const& text) {
  std::string out;
  for (char const c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (c == ':')
      out += "\\:";
    else
      out += c;
  }
  return out;
}

std::string zsh_script(std::vector<place> const& places) {
  std::string out = "#compdef wherry\n# Completion of wherry for zsh.\n_wherry() {\n";
  out += find_place(places, "\"${(@)words[2,CURRENT-1]}\"");
  out += "  local -a choices\n  case \"$place\" in\n";
  for (auto const& p : places) {
    out += "    '" + p.path + "') choices=(\n";
    for (auto const& w : p.words) out += "      '" + zsh_text(w.text) + ':' + zsh_text(w.description) + "'\n";
    out += "    ) ;;\n";
  }
  out +=
      "  esac\n  case \"${words[CURRENT-1]}\" in\n"
      "    --kernels) compadd auto scalar avx2 avx512; return ;;\n"
      "    completion) compadd bash zsh; return ;;\n"
      "    --model|--store|--output) _files; return ;;\n"
      "  esac\n  _describe -o wherry choices\n  _files\n}\n"
      "if [ \"$funcstack[1]\" = _wherry ]; then _wherry \"$@\"; else compdef _wherry wherry; fi\n";
  return out;
}

}  // namespace

std::string completion_script(CLI::App const& app, std::string_view shell) {
  std::vector<place> places;
  collect(app, "", places);
  return shell == "zsh" ? zsh_script(places) : bash_script(places);
}

}  // namespace wherry::cli
