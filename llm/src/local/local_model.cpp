#include <wherry/llm/local_model.hpp>

#include "engine/merge.hpp"
#include "engine/peft_adapter.hpp"
#include "grammar/tokenizer_vocabulary.hpp"
#include "local/answer_grammar.hpp"
#include "local/file_facts.hpp"
#include "local/scheduler.hpp"

#include <wherry/llm/chat_template.hpp>
#include <wherry/llm/kernels.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <list>
#include <map>
#include <mutex>
#include <sstream>

namespace wherry::inline v0 {

namespace {

constexpr std::size_t context_default_max = 8'192;
constexpr std::size_t programs_max = 32;     // compiled grammars kept
constexpr std::size_t answer_room_min = 32;  // tokens a request must leave for a free answer

std::size_t free_memory_bytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string name;
    std::size_t kib = 0;
    if (words >> name >> kib && name == "MemAvailable:") return kib * 1024;
  }
  return std::size_t{1} << 32;  // not Linux as we know it: assume 4 GiB
}

std::string mebibytes(std::size_t bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

class local_model::impl final : public model {
 public:
  static result<std::shared_ptr<impl>> make(gguf_file file, local_model_options options);

  impl(std::shared_ptr<engine::transformer const> network, wherry::v0::tokenizer tokens, chat_template chat,
       grammar::vocabulary vocabulary, local_model_description about, local::scheduler_options schedule)
      : network_(std::move(network)),
        tokens_(std::move(tokens)),
        chat_(std::move(chat)),
        family_(family_of(chat_.source())),
        vocabulary_(std::move(vocabulary)),
        about_(std::move(about)),
        scheduler_(network_, tokens_, schedule) {
    info_.name = network_->file().find_string("general.name").value_or(about_.file);
    info_.fingerprint = local::fingerprint_of(network_->file(), network_->kernels());
    info_.context_tokens = about_.context;
    info_.can = {.tools = true, .grammar = true, .logits = true, .ids = true, .fork = false, .adapters = true};
    info_.can.parts = capabilities::parts_of({part_kind::text, part_kind::reasoning, part_kind::tool_call,
                                              part_kind::tool_result, part_kind::citation, part_kind::provider});
  }

  model_info const& info() const noexcept override { return info_; }

  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    auto prepared = plan(std::move(request));
    if (!prepared) return std::move(prepared).error();
    return scheduler_.submit(std::move(*prepared));
  }

  result<rendered_request> render(model_request const& request) const override {
    auto pieces = prompt_of(request);
    if (!pieces) return std::move(pieces).error();
    rendered_request out;
    out.messages = request.messages;
    out.text = joined(*pieces);
    out.ids = ids_of(*pieces);
    return out;
  }

  std::size_t count_tokens(std::string_view text) const override { return tokens_.encode(text).size(); }

  result<void> add_adapter(engine::adapter adapter) {
    std::lock_guard const lock(adapters_mutex_);
    auto const name = adapter.name;
    if (name.empty()) return error{errc::invalid_argument, "an adapter needs a name", "local_model.load_adapter"};
    if (!adapters_.emplace(name, std::make_shared<engine::adapter const>(std::move(adapter))).second)
      return error{errc::invalid_argument, "an adapter named '" + name + "' is loaded already",
                   "local_model.load_adapter"};
    return {};
  }

  std::vector<std::string> adapter_names() const {
    std::lock_guard const lock(adapters_mutex_);
    std::vector<std::string> names;
    for (auto const& [name, adapter] : adapters_) names.push_back(name);
    return names;
  }

  result<std::shared_ptr<engine::adapter const>> find_adapter(adapter_choice const& choice) const {
    std::lock_guard const lock(adapters_mutex_);
    auto const found = adapters_.find(choice.name);
    if (found == adapters_.end()) {
      std::string loaded;
      for (auto const& [name, adapter] : adapters_) loaded += (loaded.empty() ? "" : ", ") + name;
      return error{errc::not_found,
                   "no adapter named '" + choice.name + "' is loaded; " +
                       (loaded.empty() ? "none is" : "loaded are " + loaded) + " (local_model::load_adapter)",
                   "model.submit"};
    }
    if (!std::isfinite(choice.strength))
      return error{errc::invalid_argument, "the strength of adapter '" + choice.name + "' is not finite",
                   "model.submit"};
    return found->second;
  }

  gguf_file const& file() const noexcept { return network_->file(); }
  engine::config const& configuration() const noexcept { return network_->configuration(); }
  local_model_description const& about() const noexcept { return about_; }
  wherry::v0::tokenizer const& tokens() const noexcept { return tokens_; }

 private:
  std::optional<std::string> spelled(std::optional<token_id> id) const {
    if (!id) return std::nullopt;
    return std::string(tokens_.piece(*id));
  }

  result<std::vector<prompt_piece>> prompt_of(model_request const& request) const {
    if (auto fits = check_parts(info_, request.messages); !fits) return std::move(fits).error();
    render_options options;
    options.bos_token = spelled(tokens_.bos());
    options.eos_token = spelled(tokens_.eos());
    options.output_schema = request.output_schema;
    options.lenient = true;
    static std::vector<tool_spec> const none;
    return render_chat(chat_, request.messages, request.tools ? *request.tools : none, options);
  }

  std::vector<token_id> ids_of(std::vector<prompt_piece> const& pieces) const {
    std::vector<encode_piece> marked;
    marked.reserve(pieces.size());
    for (auto const& p : pieces) marked.push_back({p.text, p.origin == text_origin::from_template});
    // A template that spells the begin-of-text token itself must not get a second one.
    auto const bos = spelled(tokens_.bos());
    bool const spelled_out = bos && !pieces.empty() && pieces.front().origin == text_origin::from_template &&
                             pieces.front().text.starts_with(*bos);
    auto ids = tokens_.encode(marked, !spelled_out, family_.control_marks(tokens_));
    // The file may ask for an end-of-text token after every text; a prompt goes on.
    if (!ids.empty() && tokens_.eos() && ids.back() == *tokens_.eos() &&
        !joined(pieces).ends_with(*spelled(tokens_.eos())))
      ids.pop_back();
    return ids;
  }

  result<local::generation_plan> plan(model_request request) {
    if (auto one = check_constraint(request); !one) return std::move(one).error();
    auto pieces = prompt_of(request);
    if (!pieces) return std::move(pieces).error();
    local::generation_plan out;
    std::erase_if(request.stop, [](std::string const& s) { return s.empty(); });
    out.prompt = ids_of(*pieces);
    out.family = family_;
    out.may = local::options_of(request, joined(*pieces), out.family, tokens_);
    out.notices = missing_features(info_, request);
    std::size_t const wanted = std::min(request.max_tokens, answer_room_min);
    if (out.prompt.empty() || out.prompt.size() + wanted > about_.context)
      return error{errc::context_overflow,
                   "the prompt has " + std::to_string(out.prompt.size()) +
                       " tokens and leaves too little room in a context of " + std::to_string(about_.context) +
                       "; shorten it or raise local_model_options::context_tokens",
                   "model.submit"};
    std::size_t const room = about_.context - out.prompt.size();
    out.tokens_max = std::min(request.max_tokens, room);
    auto tools = local::callable_tools(request);
    if (tools.empty() && request.tools) tools = *request.tools;  // shown, but not to be called
    auto const expression = out.family.constrain(tools, request.output_schema, out.may, tokens_);
    if (out.may.constraint) {
      auto text = recogniser_of(out.may.constraint, out.may.tools);
      if (!text) return std::move(text).error();
      out.text = std::move(*text);
    }
    if (expression) {
      auto program = compiled(tools, request.output_schema, out.may, *expression);
      if (!program) return std::move(program).error();
      if (auto fits = program->check_budget(out.tokens_max); !fits) {
        if (program->check_budget(request.max_tokens))  // the context is what is too small
          return error{errc::context_overflow,
                       "after a prompt of " + std::to_string(out.prompt.size()) + " tokens the context of " +
                           std::to_string(about_.context) + " has no room for the shortest valid answer (" +
                           std::to_string(program->shortest_answer()) + " tokens)",
                       "model.submit"};
        return std::move(fits).error();
      }
      out.grammar = std::move(*program);
      if (!request.stop.empty() && (out.may.tools || out.may.output || out.may.constraint))
        out.notices.push_back({"stop", "stop strings are not looked for in an answer that a grammar bounds"});
    }
    for (auto const& choice : request.adapters) {
      auto loaded = find_adapter(choice);
      if (!loaded) return std::move(loaded).error();
      out.adapters.push_back(std::move(*loaded));
    }
    out.request = std::move(request);
    return out;
  }

  // Compiling costs more than a token; agents send the same tools again and again.
  result<grammar::program> compiled(std::vector<tool_spec> const& tools, std::optional<raw_json> const& output,
                                    answer_options const& may, grammar::expr const& expression) {
    std::string key = std::to_string(may.calls_max) + ' ';
    for (bool const flag : {may.tools, may.output, may.free_text, may.in_reasoning}) key += flag ? '1' : '0';
    if (may.tools)
      for (auto const& tool : tools) key += tool.name + '\0' + tool.input_schema.text + '\0';
    if (may.output) key += output->text;
    {
      std::lock_guard const lock(programs_mutex_);
      for (auto at = programs_.begin(); at != programs_.end(); ++at)
        if (at->key == key && at->constraint == may.constraint) {
          programs_.splice(programs_.begin(), programs_, at);
          return programs_.front().program;
        }
    }
    auto program = grammar::compile(expression, vocabulary_);
    if (!program) return program;
    std::lock_guard const lock(programs_mutex_);
    programs_.push_front({std::move(key), may.constraint, *program});
    if (programs_.size() > programs_max) programs_.pop_back();
    return program;
  }

  // Also refuses what only the answer's first bytes could tell from a call, and cannot.
  result<grammar::recogniser> recogniser_of(std::shared_ptr<grammar::expr const> const& constraint, bool has_tools) {
    auto made = known_recogniser(constraint);
    if (!made || !has_tools) return made;
    auto const call = family_.call_beginning_in_text(tokens_);
    if (call && made->begins(*call))
      return error{errc::unsupported,
                   "the request's constraint allows texts that begin with '" + *call +
                       "', as calls of this model do; forbid calls (tool_choice::none) or these texts",
                   "model.submit"};
    return made;
  }
  result<grammar::recogniser> known_recogniser(std::shared_ptr<grammar::expr const> const& constraint) {
    {
      std::lock_guard const lock(programs_mutex_);
      for (auto const& [known, made] : recognisers_)
        if (known == constraint) return made;
    }
    auto made = grammar::recogniser::make(*constraint);
    if (!made) return made;
    std::lock_guard const lock(programs_mutex_);
    recognisers_.emplace_front(constraint, *made);
    if (recognisers_.size() > programs_max) recognisers_.pop_back();
    return made;
  }

  struct compiled_grammar {
    std::string key;
    std::shared_ptr<grammar::expr const> constraint;  // kept, so that its address is no other's
    grammar::program program;
  };

  std::shared_ptr<engine::transformer const> const network_;
  wherry::v0::tokenizer const tokens_;
  chat_template const chat_;
  answer_family const family_;
  grammar::vocabulary const vocabulary_;
  local_model_description const about_;
  model_info info_;
  std::mutex mutable adapters_mutex_;
  std::map<std::string, std::shared_ptr<engine::adapter const>> adapters_;
  std::mutex programs_mutex_;
  std::list<compiled_grammar> programs_;  // latest first
  std::list<std::pair<std::shared_ptr<grammar::expr const>, grammar::recogniser>> recognisers_;
  local::scheduler scheduler_;  // last: its thread uses what stands above
};

namespace {

// Positions of one sequence, and how many sequences the memory allows.
struct room {
  std::size_t context = 0;
  std::size_t sequences = 0;
};

result<room> make_room(engine::config const& c, local_model_options const& options, std::vector<notice>& notices) {
  room out;
  out.context = options.context_tokens ? options.context_tokens : std::min(c.context_length, context_default_max);
  if (out.context > c.context_length) {
    if (!options.exceed_declared_context)
      return error{errc::invalid_argument,
                   "a context of " + std::to_string(out.context) + " was asked for, but the model declares " +
                       std::to_string(c.context_length) +
                       " positions; set exceed_declared_context (--exceed-context) to go beyond",
                   "local_model.open"};
    notices.push_back({"context", "the context of " + std::to_string(out.context) + " exceeds the " +
                                      std::to_string(c.context_length) +
                                      " positions the model declares; quality may suffer"});
  }
  std::size_t const one = out.context * engine::kv_bytes_per_position(c);
  std::size_t const limit = options.kv_bytes_max ? options.kv_bytes_max : free_memory_bytes() / 2;
  if (one > limit)
    return error{errc::limit_reached,
                 "keys and values of " + std::to_string(out.context) + " positions need " + mebibytes(one) +
                     ", more than the " + mebibytes(limit) +
                     " allowed; ask for a smaller context or raise kv_bytes_max (--kv-bytes)",
                 "local_model.open"};
  out.sequences =
      std::clamp<std::size_t>(limit / std::max<std::size_t>(one, 1), 1, std::max<std::size_t>(options.parallel_max, 1));
  return out;
}

result<chat_template> choose_template(gguf_file const& file, local_model_options const& options,
                                      local_model_description& about) {
  auto const own = file.find_string("tokenizer.chat_template");
  if (!options.chat_template && !own) {
    about.chat_template = "built-in \"plain\"";
    about.notices.push_back({"chat_template", "the file has no chat template; the built-in one named plain is used"});
    return plain_template();
  }
  about.chat_template = options.chat_template ? "given" : "from the file";
  auto parsed = chat_template::parse(options.chat_template ? *options.chat_template : std::string(*own));
  if (parsed) return parsed;
  error e = parsed.error();
  e.message = "the chat template cannot be used: " + e.message +
              "; give another with --chat-template or local_model_options::chat_template";
  return e;
}

}  // namespace

result<std::shared_ptr<local_model::impl>> local_model::impl::make(gguf_file file, local_model_options options) {
  auto const kernels = choose_kernels(options.kernels);
  if (!kernels) return kernels.error();
  auto tokens = wherry::v0::tokenizer::from(file);
  if (!tokens) return std::move(tokens).error();
  auto network = engine::transformer::load(file, *kernels);
  if (!network) return std::move(network).error();
  auto const& c = (*network)->configuration();
  if (tokens->size() != c.vocabulary)
    return error{errc::corrupt_file,
                 "the tokenizer has " + std::to_string(tokens->size()) + " entries, but the output head " +
                     std::to_string(c.vocabulary),
                 "local_model.open", file.name()};

  local_model_description about;
  about.file = file.name();
  about.architecture = std::string(file.find_string("general.architecture").value_or("unknown"));
  about.quantisation = local::most_common_type(file);
  about.kernels = std::string(to_string(*kernels));
  about.tokenizer = std::string(tokens->family());
  about.parameters = local::parameters_of(file);
  about.layers = c.layers.size();
  about.heads = c.heads;
  about.kv_heads = c.kv_heads_max();
  about.width = c.width;
  about.vocabulary = c.vocabulary;
  about.declared_context = c.context_length;
  about.kv_bytes_per_token = engine::kv_bytes_per_position(c);
  about.file_bytes = file.size_bytes();
  about.threads = local::threads_for(options.threads);

  auto chat = choose_template(file, options, about);
  if (!chat) return std::move(chat).error();
  auto const family = family_of(chat->source());
  about.answer_family = std::string(family.name());
  auto const space = make_room(c, options, about.notices);
  if (!space) return space.error();
  about.context = space->context;
  auto vocabulary = grammar::vocabulary_of(*tokens, family.control_marks(*tokens));
  if (!vocabulary) return std::move(vocabulary).error();

  local::scheduler_options schedule{.threads = about.threads,
                                    .parallel_max = space->sequences,
                                    .queue_max = options.queue_max,
                                    .context_tokens = space->context};
  return std::make_shared<impl>(std::move(*network), std::move(*tokens), std::move(*chat), std::move(*vocabulary),
                                std::move(about), schedule);
}

namespace {

// A model whose every request names the same adapters.
class adapted_model final : public model {
 public:
  adapted_model(std::shared_ptr<model> whole, std::vector<adapter_choice> chosen, std::string const& marks)
      : whole_(std::move(whole)), chosen_(std::move(chosen)), info_(whole_->info()) {
    info_.fingerprint += marks;
    for (auto const& choice : chosen_) info_.name += '+' + choice.name;
  }

  model_info const& info() const noexcept override { return info_; }
  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    return whole_->submit(adapted(std::move(request)));
  }
  result<rendered_request> render(model_request const& request) const override {
    return whole_->render(adapted(request));
  }
  std::size_t count_tokens(std::string_view text) const override { return whole_->count_tokens(text); }

 private:
  model_request adapted(model_request request) const {
    request.adapters.insert(request.adapters.begin(), chosen_.begin(), chosen_.end());
    return request;
  }

  std::shared_ptr<model> const whole_;
  std::vector<adapter_choice> const chosen_;
  model_info info_;
};

}  // namespace

local_model::local_model(std::filesystem::path const& gguf, local_model_options options)
    : local_model(open(gguf, std::move(options)).value()) {}

result<local_model> local_model::open(std::filesystem::path const& gguf, local_model_options options) {
  auto file = gguf_file::open(gguf);
  if (!file) return std::move(file).error();
  return from(std::move(*file), std::move(options));
}

result<local_model> local_model::from(gguf_file file, local_model_options options) {
  auto made = impl::make(std::move(file), std::move(options));
  if (!made) return std::move(made).error();
  return local_model(std::move(*made));
}

local_model_description const& local_model::description() const noexcept { return impl_->about(); }
wherry::v0::tokenizer const& local_model::tokenizer() const noexcept { return impl_->tokens(); }
local_model::operator std::shared_ptr<model>() const { return impl_; }

result<void> local_model::load_adapter(std::string name, std::filesystem::path const& file) {
  std::error_code ignored;
  auto weights = file;
  if (std::filesystem::is_directory(file, ignored)) weights /= "adapter_model.safetensors";
  if (weights.extension() != ".safetensors") {
    auto opened = gguf_file::open(weights);
    if (!opened) return std::move(opened).error();
    return load_adapter(std::move(name), *opened);
  }
  auto opened = detail::safetensors_file::open(weights);
  if (!opened) return std::move(opened).error();
  auto const beside = weights.parent_path() / "adapter_config.json";
  std::ifstream in(beside, std::ios::binary);
  if (!in)
    return error{errc::not_found, "an adapter of PEFT needs its adapter_config.json beside it",
                 "local_model.load_adapter", beside.string()};
  std::string const configuration(std::istreambuf_iterator<char>(in), {});
  auto adapter =
      engine::read_peft_adapter(*opened, configuration, impl_->file(), impl_->configuration(), std::move(name));
  if (!adapter) return std::move(adapter).error();
  return impl_->add_adapter(std::move(*adapter));
}

result<void> local_model::load_adapter(std::string name, gguf_file const& file) {
  auto adapter = engine::read_adapter(file, impl_->file(), std::move(name));
  if (!adapter) return std::move(adapter).error();
  return impl_->add_adapter(std::move(*adapter));
}

std::vector<std::string> local_model::adapters() const { return impl_->adapter_names(); }

result<void> local_model::save_merged(std::filesystem::path const& to,
                                      std::vector<adapter_choice> const& chosen) const {
  std::vector<std::shared_ptr<engine::adapter const>> held;
  std::vector<engine::active_adapter> active;
  for (auto const& choice : chosen) {
    auto adapter = impl_->find_adapter(choice);
    if (!adapter) return std::move(adapter).error();
    active.push_back({adapter->get(), choice.strength});
    held.push_back(std::move(*adapter));
  }
  return engine::write_merged(impl_->file(), active, to);
}

result<std::shared_ptr<model>> local_model::with_adapters(std::vector<adapter_choice> chosen) const {
  std::string marks;
  for (auto const& choice : chosen) {
    auto const adapter = impl_->find_adapter(choice);
    if (!adapter) return adapter.error();
    std::ostringstream mark;
    mark << '+' << (*adapter)->fingerprint << 'x' << choice.strength;
    marks += mark.str();
  }
  return std::shared_ptr<model>(std::make_shared<adapted_model>(impl_, std::move(chosen), marks));
}

}  // namespace wherry::inline v0
