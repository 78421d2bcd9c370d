#pragma once
// What the command line and the environment say, before anything is done.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wherry::cli {

/// Which model, and what it may use.
struct model_settings {
  std::string model;  ///< A GGUF file, or the name of a found model; empty: $WHERRY_MODEL, else random weights.
  std::string kernels = "auto";
  std::size_t threads = 0;  ///< 0: chosen by the library.
  std::size_t context = 0;  ///< 0: the smaller of declared and 8,192.
  bool exceed_context = false;
  std::size_t kv_bytes = 0;           ///< 0: half of the free memory.
  std::vector<std::string> adapters;  ///< FILE or FILE=STRENGTH, applied to every answer.
};

/// How an agent made on the command line answers.
struct agent_settings {
  std::string system = "You are a helpful assistant.";
  std::vector<std::string> tools;  ///< Names of demo tools.
  std::optional<std::uint64_t> seed;
  std::optional<double> temperature;
  std::size_t max_tokens = 512;
  bool memory = false;             ///< chat: recalls before each message, and learns from the conversation.
  std::string confirm = "writes";  ///< chat: which calls a person is asked about: none, writes or all.
};

/// Which store, and whose part of it.
struct store_settings {
  std::string store;                    ///< Empty: $WHERRY_STORE, else the data folder of the user.
  std::string scope = "local/default";  ///< TENANT/USER.
};

/// model quantize: where to, and how.
struct quantize_settings {
  std::string to;
  std::string type;
  bool requantize = false;
};

struct output_settings {
  bool as_json = false;
  bool events = false;
  bool verbose = false;
};

/// Which server, and what of it.
struct mcp_settings {
  std::string memory;  ///< Folder of the store to serve; empty: none.
  bool stdio = false;
  bool for_chat = false;              ///< Serve what a chat beside the holder of the store needs.
  std::optional<std::uint16_t> port;  ///< Serve over HTTP there; 0: the system chooses.
  std::vector<std::string> target;    ///< A URL, or a command and its arguments.
  std::string tool;
  std::string arguments = "{}";
  std::string revision;  ///< Empty: the newest both speak.
};

/// memory: what to look for, and what to erase.
struct memory_settings {
  std::size_t limit = 10;
  std::vector<std::string> kinds;
  std::string reranker;  ///< search: a GGUF file, or the name of a found model, that reads the best hits.
  bool repair = false;
  bool rules = false;            ///< learn: without a model.
  bool without_vectors = false;  ///< export.
  bool everything = false;
  std::vector<std::string> records;
  std::vector<std::string> sessions;
  std::vector<std::string> documents;
  std::vector<std::string> subjects;
};

/// Everything that was given; a command reads the parts it has options for.
struct settings {
  model_settings model;
  agent_settings agent;
  store_settings store;
  output_settings output;
  mcp_settings mcp;
  quantize_settings quantize;
  memory_settings memory;

  std::optional<std::string> text;  ///< ask: the question; tokenize: the text.
  std::string session;              ///< ask, chat, session show|export: its name.
  std::string file;    ///< run: the scenario; model info, model quantize: the GGUF; session export: the output.
  std::string schema;  ///< ask: a file with the JSON Schema of the answer.
  std::optional<std::string> regex;  ///< ask: the whole answer matches this pattern.
  std::vector<std::string> choices;  ///< ask: the answer is one of these.
  std::string grammar;               ///< ask: a file with the answer's grammar.
  std::string shell;                 ///< completion: bash or zsh.
  bool ids_only = false;             ///< tokenize: nothing but the ids.
  bool special = false;              ///< tokenize: BOS and EOS are added, and the text may spell control tokens.
  bool yes = false;                  ///< run: calls that would ask are allowed.

  std::vector<std::string>
      texts;              ///< embed, rerank: the texts; none: the lines of standard input. schema check: files.
  std::string prefix;     ///< embed: stands before each text.
  bool as_query = false;  ///< embed: texts to find with.
  bool shorten = false;   ///< embed, rerank: overlong texts lose their end.
  std::optional<std::size_t> layer;  ///< explain: attention of this layer.
  std::optional<std::size_t> head;   ///< explain: of this head.
  std::string html;                  ///< explain: write a page here.
  std::string adapter;               ///< model merge: the adapter.
  float strength = 1;                ///< model merge: how strongly.
  std::string output_file;           ///< model merge: the file to write.
};

}  // namespace wherry::cli
