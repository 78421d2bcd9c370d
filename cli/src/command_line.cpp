#include "command_line.hpp"

#include "commands.hpp"
#include "completion.hpp"
#include "demo_tools.hpp"
#include "outcome.hpp"
#include "store_place.hpp"
#include "terminal.hpp"
#include "version.hpp"

#include <wherry/llm/quantize.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <functional>

namespace wherry::cli {
namespace {

constexpr int threads_max = 512;

constexpr char const* top_footer = R"(Examples:
  wherry ask "What is a wherry?"
  cat notes.txt | wherry ask "Summarise these notes"
  wherry chat --session trip --model qwen2.5-0.5b-instruct-q8_0.gguf
  wherry run examples/scenarios/first_run.json --verbose

Each command has its own help: wherry ask --help

Environment:
  WHERRY_MODEL  the GGUF file to use when --model is absent
  WHERRY_STORE  the folder of the store when --store is absent
  NO_COLOR      no colour

Exit codes: 0 ok, 1 failed, 2 wrong command line, 3 a call needs approval, 4 a limit was reached.)";

constexpr char const* ask_footer = R"(Only the answer goes to standard output. Without --session nothing is kept.

Examples:
  wherry ask "Name three boats" --temperature 0
  wherry ask "What is wrong here?" < build.log
  wherry ask "And in feet?" --session heights --tools convert_length
  wherry ask "Roll two dice" --tools dice --json
  wherry ask "Is a wherry a boat?" --choice yes --choice no
  wherry ask "Its number, please" --regex "[A-Z]{2}-[0-9]{4}")";

constexpr char const* chat_footer =
    R"(What is said is on disk before the next prompt: after a crash the same command goes on.
Ctrl-C ends the answer under way, not the program. Lines that begin with / are commands; /help lists them.

Examples:
  wherry chat
  wherry chat --session trip --tools weather
  printf 'Hello\n/quit\n' | wherry chat --session test)";

constexpr char const* run_footer =
    R"(A scenario is a JSON file with agents and what they are told; docs/scenarios.md describes it. A session it
names is written to a temporary store, or to the one that --store names.

Examples:
  wherry run examples/scenarios/first_run.json --verbose
  wherry run examples/scenarios/two_agents.json --json --seed 7)";

constexpr char const* tokenize_footer = R"(Only the vocabulary of the file is read, so any GGUF will do.

Examples:
  wherry tokenize "What is a wherry?" --model qwen2.5-0.5b-instruct-q8_0.gguf
  wherry tokenize - --ids < notes.txt
  wherry tokenize "<|im_start|>user" --special --json)";

constexpr char const* schema_footer =
    R"(Exit code 1 when the schema cannot be a constraint or an instance does not match.

Examples:
  wherry schema check order.schema.json order1.json order2.json
  wherry schema explain order.schema.json
  wherry ask "An order of two oars" --schema order.schema.json)";

constexpr char const* completion_footer = R"(Examples:
  bash:  source <(wherry completion bash)
  zsh:   wherry completion zsh > ~/.zfunc/_wherry     (a folder that is in $fpath))";

constexpr char const* mcp_serve_footer =
    R"(Serves memory and tools to one client of the Model Context Protocol, over standard input and output unless --port
is given. Several clients may each start one on the same folder.

Examples:
  wherry mcp serve --memory ~/.local/share/wherry-memory --scope local/ann
  wherry mcp serve --port 8080 --tools weather,dice)";

constexpr char const* mcp_inspect_footer = R"(Examples:
  wherry mcp inspect http://127.0.0.1:8080/mcp
  wherry mcp inspect -- npx -y @modelcontextprotocol/server-everything stdio)";

constexpr char const* mcp_call_footer = R"(Examples:
  wherry mcp call dice '{"count":2,"sides":6}' http://127.0.0.1:8080/mcp
  wherry mcp call echo '{"message":"hi"}' -- npx -y @modelcontextprotocol/server-everything stdio)";

/// Declares commands and options on an App, bound to one settings value.
class grammar {
 public:
  explicit grammar(settings& into);

  CLI::App& app() noexcept { return app_; }
  /// What the parsed line asks for.
  int act() const { return chosen_(); }

 private:
  CLI::App* command(CLI::App& under, std::string const& name, std::string const& what, std::function<int()> action,
                    std::string const& footer = "");
  void add_ask();
  void add_chat();
  void add_run();
  void add_session();
  void add_memory();
  void add_model();
  void add_quantize(CLI::App& under);
  void add_merge(CLI::App& under);
  void add_tokenize();
  void add_readers();
  void add_schema();
  void add_doctor();
  void add_mcp();
  void add_completion();

  void model_options(CLI::App& to, bool with_model = true);
  void agent_options(CLI::App& to);
  void sampling_options_of(CLI::App& to);
  void store_options_of(CLI::App& to);
  void json_option(CLI::App& to);
  void event_options(CLI::App& to);
  void session_name(CLI::App& to);

  settings& into_;
  CLI::App app_;
  std::function<int()> chosen_;
};

grammar::grammar(settings& into)
    : into_(into), app_("Agents around a language model that runs in this process.", "wherry") {
  app_.set_version_flag("--version", "wherry " + std::string(version_text));
  app_.set_help_flag("-h,--help", "Print this help");
  app_.footer(top_footer);
  app_.require_subcommand(0, 1);
  app_.add_option("--model", into_.model.model,
                  "GGUF file or name of a found model; default: $WHERRY_MODEL, else random weights");
  json_option(app_);
  chosen_ = [this] { return about_command(into_); };
  add_ask();
  add_chat();
  add_run();
  add_session();
  add_memory();
  add_model();
  add_tokenize();
  add_readers();
  add_schema();
  add_doctor();
  add_mcp();
  add_completion();
}

CLI::App* grammar::command(CLI::App& under, std::string const& name, std::string const& what,
                           std::function<int()> action, std::string const& footer) {
  auto* const made = under.add_subcommand(name, what);
  made->set_help_flag("-h,--help", "Print this help");
  if (!footer.empty()) made->footer(footer);
  if (action) made->callback([this, action = std::move(action)] { chosen_ = action; });
  return made;
}

void grammar::model_options(CLI::App& to, bool with_model) {
  auto& m = into_.model;
  std::string const group = "Model";
  if (with_model)
    to.add_option("--model", m.model, "GGUF file or name of a found model; default: $WHERRY_MODEL, else random weights")
        ->type_name("FILE")
        ->group(group);
  to.add_option("--threads", m.threads, "Threads that compute; default: one per core, at most 8")
      ->check(CLI::Range(1, threads_max))
      ->type_name("N")
      ->group(group);
  to.add_option("--kernels", m.kernels, "Instruction set: auto, scalar, avx2 or avx512")
      ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512"}))
      ->type_name("SET")
      ->group(group);
  to.add_option("--context", m.context, "Tokens of context; default: the smaller of declared and 8192")
      ->check(CLI::Range(16, 1 << 24))
      ->type_name("N")
      ->group(group);
  to.add_flag("--exceed-context", m.exceed_context, "Allow more context than the file declares")->group(group);
  to.add_option("--kv-bytes", m.kv_bytes, "Memory for keys and values, e.g. 2GB; default: half of what is free")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->group(group);
}

void grammar::sampling_options_of(CLI::App& to) {
  auto& a = into_.agent;
  to.add_option("--seed", a.seed, "Seed of the random numbers; the same seed gives the same answer")
      ->type_name("N")
      ->group("Answer");
  to.add_option("--temperature", a.temperature, "0 takes the likeliest token; default 1")
      ->check(CLI::Range(0.0, 100.0))
      ->type_name("T")
      ->group("Answer");
}

void grammar::agent_options(CLI::App& to) {
  to.add_option("--adapter", into_.model.adapters, "LoRA to apply: a GGUF file or PEFT's folder, with =X at strength X")
      ->type_name("FILE")
      ->group("Model");
  auto& a = into_.agent;
  sampling_options_of(to);
  to.add_option("--max-tokens", a.max_tokens, "Longest answer of one step")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str()
      ->group("Answer");
  to.add_option("--system", a.system, "Instructions for the model; \"\" for none")->type_name("TEXT")->group("Answer");
  to.add_option("--tools", a.tools, "Demo tools the model may call: weather,dice,convert_length")
      ->delimiter(',')
      ->check(CLI::IsMember(demo_tool_names()))
      ->type_name("NAMES")
      ->group("Answer");
}

void grammar::store_options_of(CLI::App& to) {
  auto& s = into_.store;
  to.add_option("--store", s.store, "Folder of the store; default: $WHERRY_STORE, else the user's data folder")
      ->type_name("DIR")
      ->group("Store");
  to.add_option("--scope", s.scope, "Whose sessions")
      ->check([](std::string const& text) {
        auto const read = parse_scope(text);
        return read ? std::string() : read.error().message;
      })
      ->type_name("TENANT/USER")
      ->capture_default_str()
      ->group("Store");
}

void grammar::json_option(CLI::App& to) { to.add_flag("--json", into_.output.as_json, "Print JSON")->group("Output"); }

void grammar::event_options(CLI::App& to) {
  json_option(to);
  auto* const json = to.get_option("--json");
  to.add_flag("--events", into_.output.events, "Print each event as a JSON line")->excludes(json)->group("Output");
  to.add_flag("-v,--verbose", into_.output.verbose, "Tell each event on standard error")->group("Output");
}

void grammar::session_name(CLI::App& to) {
  to.add_option("NAME", into_.session, "Name of the session")->required()->type_name("");
}

void grammar::add_ask() {
  auto& c = *command(app_, "ask", "Ask once, print the answer", [this] { return ask_command(into_); }, ask_footer);
  c.alias("generate");
  c.add_option("--schema", into_.schema, "The answer is JSON of the JSON Schema in this file, and nothing else")
      ->type_name("FILE")
      ->group("Answer");
  auto* const schema = c.get_option("--schema");
  auto* const regex =
      c.add_option("--regex", into_.regex, "The answer matches this pattern, from its first to its last")
          ->type_name("PATTERN")
          ->group("Answer");
  auto* const choice = c.add_option("--choice", into_.choices, "The answer is this text, or that of another --choice")
                           ->allow_extra_args(false)  // what follows is the question
                           ->type_name("TEXT")
                           ->group("Answer");
  auto* const file = c.add_option("--grammar", into_.grammar, "The answer is in the language of the EBNF in this file")
                         ->type_name("FILE")
                         ->group("Answer");
  for (auto* const one : {schema, regex, choice, file})
    for (auto* const other : {schema, regex, choice, file})
      if (one != other) one->excludes(other);
  c.add_option("TEXT", into_.text, "The question; \"-\" or none reads standard input, which is else added to it")
      ->type_name("");
  c.add_option("--session", into_.session, "Continue this session, and keep the answer in it")
      ->type_name("NAME")
      ->group("Store");
  agent_options(c);
  model_options(c);
  store_options_of(c);
  event_options(c);
}

void grammar::add_schema() {
  auto& group = *command(app_, "schema", "Look at a JSON Schema as a constraint", nullptr);
  group.require_subcommand(1);
  auto& check = *command(
      group, "check", "Tell whether a model can be held to it, and whether instances match",
      [this] { return schema_check_command(into_); }, schema_footer);
  check.add_option("FILE", into_.file, "The JSON Schema")->required()->type_name("");
  check.add_option("INSTANCE", into_.texts, "Files with JSON to validate against it")->type_name("");
  json_option(check);
  auto& explain = *command(group, "explain", "Show what answers under it look like",
                           [this] { return schema_explain_command(into_); });
  explain.add_option("FILE", into_.file, "The JSON Schema")->required()->type_name("");
  json_option(explain);
}

void grammar::add_chat() {
  auto& c = *command(app_, "chat", "Talk; the session is kept", [this] { return chat_command(into_); }, chat_footer);
  c.add_option("--session", into_.session, "Begin or continue this session; default: a new one")
      ->type_name("NAME")
      ->group("Store");
  agent_options(c);
  c.add_flag("--memory", into_.agent.memory, "Recall what bears on each message, and learn facts from what you say")
      ->group("Answer");
  c.add_option("--confirm", into_.agent.confirm, "Calls you are asked about first: none, writes or all")
      ->check(CLI::IsMember({"none", "writes", "all"}))
      ->type_name("WHICH")
      ->capture_default_str()
      ->group("Answer");
  model_options(c);
  store_options_of(c);
  event_options(c);
}

void grammar::add_run() {
  auto& c =
      *command(app_, "run", "Run a scenario of one or more agents", [this] { return run_command(into_); }, run_footer);
  c.add_option("SCENARIO", into_.file, "The scenario, a JSON file")->required()->type_name("");
  sampling_options_of(c);
  c.add_flag("--yes", into_.yes, "Allow every call that would ask for approval")->group("Answer");
  model_options(c);
  store_options_of(c);
  event_options(c);
}

void grammar::add_memory() {
  auto& group = *command(app_, "memory", "Find, look at and erase what is remembered", nullptr,
                         "Examples:\n  wherry memory ingest manual.md\n  wherry memory search \"which oil?\" -v\n"
                         "  wherry memory erase --session trip");
  group.require_subcommand(1);
  auto& m = into_.memory;
  auto& search = *command(group, "search", "Find records by words", [this] { return memory_search_command(into_); });
  search.add_option("TEXT", into_.text, "The question")->required()->type_name("");
  search.add_option("--limit", m.limit, "Most records")
      ->check(CLI::Range(1, 1000))
      ->type_name("N")
      ->capture_default_str();
  search.add_option("--kind", m.kinds, "Only records of this kind")->type_name("KIND");
  search.add_option("--reranker", m.reranker, "A model that reads the best hits and orders them anew")
      ->type_name("MODEL");
  search.add_flag("-v,--verbose", into_.output.verbose, "Tell why each was found")->group("Output");
  auto& show = *command(group, "show", "Print a record", [this] { return memory_show_command(into_); });
  show.add_option("ID", into_.text, "Its id")->required()->type_name("");
  auto& stats = *command(group, "stats", "Count what there is", [this] { return memory_stats_command(into_); });
  auto& verify = *command(group, "verify", "Check the whole store", [this] { return memory_verify_command(into_); });
  verify.add_flag("--repair", m.repair, "Make derived data anew where it is wrong");
  auto& erase = *command(group, "erase", "Be rid of something, down to the bytes on disk",
                         [this] { return memory_erase_command(into_); });
  erase.add_option("--record", m.records, "A record")->type_name("ID");
  erase.add_option("--session", m.sessions, "A session, its forks, and records from it")->type_name("NAME");
  erase.add_option("--document", m.documents, "A document's chunks")->type_name("NAME");
  erase.add_option("--subject", m.subjects, "Records about it")->type_name("NAME");
  erase.add_flag("--everything", m.everything, "All that the store knows of the scope");
  auto& exported = *command(group, "export", "Print records, vectors, items and sessions as JSON lines",
                            [this] { return memory_export_command(into_); });
  exported.add_flag("--without-vectors", m.without_vectors, "Leave out what an embedder can make again");
  exported.add_option("-o,--output", into_.file, "Write to this file")->type_name("FILE");
  auto& imported =
      *command(group, "import", "Bring in what export wrote", [this] { return memory_import_command(into_); });
  imported.add_option("FILE", into_.file, "What export wrote")->required()->type_name("");
  auto& ingest = *command(group, "ingest", "Read text, Markdown, HTML and PDF files in",
                          [this] { return memory_ingest_command(into_); });
  ingest.add_option("FILES", into_.texts, "The files; one that was read in before is replaced")
      ->required()
      ->type_name("");
  auto& learn = *command(group, "learn", "Learn facts from runs that wait for it",
                         [this] { return memory_learn_command(into_); });
  learn.add_flag("--rules", m.rules, "Without a model: only what users plainly say of themselves");
  model_options(learn);
  for (auto* c : {&search, &show, &stats, &verify, &erase, &exported, &imported, &ingest, &learn}) {
    store_options_of(*c);
    json_option(*c);
  }
}

void grammar::add_session() {
  auto& group = *command(app_, "session", "Look at sessions", nullptr);
  group.require_subcommand(1);
  auto& list = *command(group, "list", "List all sessions", [this] { return session_list_command(into_); });
  auto& show = *command(group, "show", "Print what was said", [this] { return session_show_command(into_); });
  auto& exported = *command(
      group, "export", "Print every event as a JSON line", [this] { return session_export_command(into_); },
      "Example:\n  wherry session export trip --output trip.jsonl");
  session_name(show);
  session_name(exported);
  exported.add_option("-o,--output", into_.file, "Write to this file")->type_name("FILE");
  for (auto* c : {&list, &show, &exported}) {
    store_options_of(*c);
    json_option(*c);
  }
}

void grammar::add_merge(CLI::App& under) {
  auto& made = *command(
      under, "merge", "Write a GGUF file with an adapter added to its weights",
      [this] { return model_merge_command(into_); },
      "Each matrix keeps its type. ADAPTER is a GGUF file or the folder that PEFT writes.\n\nExample:\n"
      "  wherry model merge base-f16.gguf my-lora/ merged-f16.gguf --strength 0.8");
  made.add_option("IN", into_.file, "The model's GGUF file")->required()->type_name("");
  made.add_option("ADAPTER", into_.adapter, "The adapter")->required()->type_name("");
  made.add_option("OUT", into_.output_file, "The GGUF file to write")->required()->type_name("");
  made.add_option("--strength", into_.strength, "How strongly it is applied; default: 1")->type_name("X");
}

void grammar::add_quantize(CLI::App& under) {
  auto& made = *command(
      under, "quantize", "Write a GGUF file with narrower weights", [this] { return model_quantize_command(into_); },
      "Types: " + quantize_type_names() +
          "\nThe file is written beside its place and renamed at the end.\n\nExample:\n"
          "  wherry model quantize qwen2.5-0.5b-instruct-f16.gguf qwen2.5-0.5b-instruct-q4_k_m.gguf Q4_K_M");
  made.add_option("IN", into_.file, "The GGUF file to read; of a split model its first one")->required()->type_name("");
  made.add_option("OUT", into_.quantize.to, "The GGUF file to write")->required()->type_name("");
  made.add_option("TYPE", into_.quantize.type, "What the matrices become")->required()->type_name("");
  made.add_flag("--requantize", into_.quantize.requantize, "Also convert weights that are quantised already");
  made.add_option("--threads", into_.model.threads, "Threads that compute; default: one per core, at most 8")
      ->check(CLI::Range(1, threads_max))
      ->type_name("N");
  json_option(made);
}

void grammar::add_model() {
  auto& group = *command(app_, "model", "Look at models", nullptr);
  group.require_subcommand(1);
  auto& info = *command(
      group, "info", "Say what is in a GGUF file and how it would run", [this] { return model_info_command(into_); },
      "Example:\n  wherry model info qwen2.5-0.5b-instruct-q8_0.gguf --verbose");
  auto& list = *command(
      group, "list", "List models that other programs have on this machine",
      [this] { return model_list_command(into_); },
      "Looks into the folders of Ollama, LM Studio, llama.cpp and the Hugging Face cache, and changes "
      "nothing there.\n--model takes the names that are listed.");
  json_option(list);
  info.add_option("FILE", into_.file, "The GGUF file, or the name of a found model")->required()->type_name("");
  model_options(info, false);
  json_option(info);
  info.add_flag("-v,--verbose", into_.output.verbose, "All metadata too")->group("Output");
  add_quantize(group);
  add_merge(group);
}

void grammar::add_tokenize() {
  auto& c = *command(
      app_, "tokenize", "Show how a model's vocabulary cuts a text", [this] { return tokenize_command(into_); },
      tokenize_footer);
  c.add_option("TEXT", into_.text, "The text; \"-\" or none reads standard input")->type_name("");
  c.add_option("--model", into_.model.model, "GGUF file; default: $WHERRY_MODEL")->type_name("FILE")->group("Model");
  c.add_flag("--special", into_.special, "Add BOS and EOS, and take spellings of control tokens for them")
      ->group("Model");
  json_option(c);
  c.add_flag("--ids", into_.ids_only, "Print the ids only, on one line")
      ->excludes(c.get_option("--json"))
      ->group("Output");
}

// Commands that read texts and write none.
void grammar::add_readers() {
  auto& embed = *command(
      app_, "embed", "Turn texts into vectors and compare them", [this] { return embed_command(into_); },
      "Example:\n  wherry embed \"a boat\" \"a ship\" --model nomic-embed-text-v1.5.Q8_0.gguf --prefix "
      "\"search_document: \"");
  auto& rerank = *command(
      app_, "rerank", "Order texts by how well they answer a query", [this] { return rerank_command(into_); },
      "Example:\n  wherry rerank \"how do boats float?\" < passages.txt --model bge-reranker-base-q8_0.gguf");
  rerank.add_option("QUERY", into_.text, "The query")->required()->type_name("");
  for (auto* c : {&embed, &rerank}) {
    c->add_option("TEXTS", into_.texts, "Texts; without any the lines of standard input")->type_name("");
    c->add_flag("--shorten", into_.shorten, "Cut texts that are longer than the model reads")->group("Model");
    model_options(*c);
    json_option(*c);
  }
  embed.add_option("--prefix", into_.prefix, "What the model was trained to see before a text")
      ->type_name("TEXT")
      ->group("Model");
  embed.add_flag("--query", into_.as_query, "The texts are queries, not documents")->group("Model");

  auto& explain = *command(
      app_, "explain", "Show what a text becomes inside a model", [this] { return explain_command(into_); },
      "Example:\n  wherry explain \"Once upon a time\" --model stories260K.gguf --layer 2 --head 1 --html page.html");
  explain.add_option("TEXT", into_.text, "The text")->required()->type_name("");
  explain.add_option("--layer", into_.layer, "Attention of this layer; default: 0, with --html all")->type_name("N");
  explain.add_option("--head", into_.head, "Attention of this head; default: 0, with --html all")->type_name("N");
  explain.add_option("--html", into_.html, "Write a page that shows everything")->type_name("FILE");
  model_options(explain);
  json_option(explain);
}

void grammar::add_doctor() {
  auto& c =
      *command(app_, "doctor", "Check processor, memory, model and store", [this] { return doctor_command(into_); });
  model_options(c);
  store_options_of(c);
  json_option(c);
}

void grammar::add_mcp() {
  auto& m = into_.mcp;
  auto& group = *command(app_, "mcp", "Serve and use the Model Context Protocol", nullptr);
  group.require_subcommand(1);
  auto& serve =
      *command(group, "serve", "Serve memory and tools", [this] { return mcp_serve_command(into_); }, mcp_serve_footer);
  auto* const port =
      serve.add_option("--port", m.port, "Serve over HTTP on loopback; 0: the system chooses")->type_name("N");
  serve.add_flag("--stdio", m.stdio, "Serve over standard input and output (the default)")->excludes(port);
  serve.add_option("--tools", into_.agent.tools, "Demo tools to serve: weather,dice,convert_length")
      ->delimiter(',')
      ->check(CLI::IsMember(demo_tool_names()))
      ->type_name("NAMES");
  // What `wherry chat` starts when another process holds its store; of no use to people.
  serve.add_flag("--for-chat", m.for_chat)->group("");
  serve.add_option("--memory", m.memory, "Serve the memory kept in this folder")->type_name("DIR");
  serve.add_option("--scope", into_.store.scope, "Whose memory")
      ->check([](std::string const& text) {
        auto const read = parse_scope(text);
        return read ? std::string() : read.error().message;
      })
      ->type_name("TENANT/USER")
      ->capture_default_str();
  auto& inspect = *command(
      group, "inspect", "Say what a server offers", [this] { return mcp_inspect_command(into_); }, mcp_inspect_footer);
  auto& call =
      *command(group, "call", "Call a tool of a server", [this] { return mcp_call_command(into_); }, mcp_call_footer);
  call.add_option("TOOL", m.tool, "Name of the tool")->required()->type_name("");
  call.add_option("ARGUMENTS", m.arguments, "Its arguments, a JSON object")->required()->type_name("");
  for (auto* c : {&inspect, &call}) {
    c->add_option("TARGET", m.target, "URL of the server, or the command that starts it")->required()->type_name("");
    c->add_option("--revision", m.revision, "Revision to speak; default: the newest both speak")->type_name("DATE");
    json_option(*c);
  }
}

void grammar::add_completion() {
  auto& c = *command(
      app_, "completion", "Print the completion script of a shell",
      [this] {
        put_raw(completion_script(app_, into_.shell));
        return static_cast<int>(exit_ok);
      },
      completion_footer);
  c.add_option("SHELL", into_.shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}))->type_name("");
}

std::string child_names(CLI::App const& app) {
  std::string names;
  for (auto const* child : app.get_subcommands([](CLI::App const*) { return true; }))
    names += (names.empty() ? "" : ", ") + child->get_name();
  return names;
}

CLI::App const& deepest(CLI::App const& app) {
  auto const chosen = app.get_subcommands();
  return chosen.empty() ? app : deepest(*chosen.front());
}

// The command that the line got to, as typed: "wherry session list".
std::string deepest_command(CLI::App const& app) {
  std::string name = app.get_name();
  for (auto const* sub : app.get_subcommands()) name += ' ' + deepest_command(*sub);
  return name;
}

int tell_usage(CLI::App const& app, CLI::ParseError const& wrong) {
  auto const where = deepest_command(app);
  std::string what = wrong.what();
  if (dynamic_cast<CLI::ExtrasError const*>(&wrong) && app.get_subcommands().empty()) {
    auto const extra = app.remaining();
    what = "there is no command \"" + (extra.empty() ? "" : extra.front()) + "\"; there are " + child_names(app);
  }
  if (auto const& group = deepest(app); !child_names(group).empty() && &group != &app)
    what = group.get_name() + " needs one of " + child_names(group);
  if (!what.empty() && what.back() == '.') what.pop_back();
  for (auto& c : what)
    if (c == '\n') c = ' ';
  say("wherry: " + harmless(what) + "; see " + where + " --help");
  return exit_usage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  settings given;
  grammar line(given);
  try {
    line.app().parse(argc, argv);
  } catch (CLI::CallForHelp const&) {
    put_raw(line.app().help());  // of the command that was named, with its whole name
    return exit_ok;
  } catch (CLI::CallForVersion const& version) {
    put_raw(std::string(version.what()) + '\n');
    return exit_ok;
  } catch (CLI::ParseError const& wrong) {
    return tell_usage(line.app(), wrong);
  }
  return line.act();
}

}  // namespace wherry::cli
