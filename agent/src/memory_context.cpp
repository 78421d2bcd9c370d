#include <wherry/agent/memory_context.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace wherry::inline v0 {
namespace {

using namespace std::chrono_literals;

task<result<context_answer>> recall_for(scope_handle scope, std::shared_ptr<memory_context_options const> kept,
                                        context_question question) {
  auto const& options = *kept;
  auto text = question.text.substr(0, recall_text_bytes_max);
  while (!text.empty() && !is_valid_utf8(text)) text.pop_back();  // a code point may have been cut
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) co_return context_answer{};
  recall_query query{.text = std::move(text),
                     .limit = options.records_max,
                     .kinds = options.kinds,
                     .text_bytes_max = std::min(options.bytes_max, question.bytes_max)};
  query.text_options = options.text_options;
  query.boosts = options.boosts;
  auto models = options.recall_models;
  if (question.until != no_deadline) {
    auto const left = question.until - std::chrono::steady_clock::now();
    auto const third = std::chrono::duration_cast<std::chrono::milliseconds>(left) / 3;
    models.model_time = std::clamp(third, std::chrono::milliseconds(1), std::max(models.model_time, 1ms));
  }
  auto found = co_await scope_handle::async_recall(std::move(scope), std::move(query), std::move(models));
  if (!found) co_return std::move(found).error();
  context_answer out{.blocks = {}, .degraded = std::move(found->degraded)};
  double best = 0;
  for (auto const& hit : found->hits) best = std::max(best, hit.score);
  for (auto& hit : found->hits) {
    if (hit.score < options.score_share_min * best) continue;
    auto& r = hit.record;
    auto const since = to_rfc3339(r.valid_from ? r.valid_from : r.created).substr(0, 10);
    out.blocks.push_back({.source = {},
                          .id = r.id.text(),
                          .text = (r.title.empty() ? "" : r.title + ": ") + r.text,
                          .note = r.kind + ", since " + since});
  }
  co_return out;
}

class recall_source final : public context_source {
 public:
  recall_source(scope_handle scope, memory_context_options options)
      : scope_(std::move(scope)), options_(std::make_shared<memory_context_options const>(std::move(options))) {}

  std::string const& name() const noexcept override { return options_->name; }
  std::string const& heading() const noexcept override { return options_->heading; }
  task<result<context_answer>> async_gather(context_question question) override {
    return recall_for(scope_, options_, std::move(question));
  }

 private:
  scope_handle const scope_;
  std::shared_ptr<memory_context_options const> const options_;  ///< Shared with what is still asked when it goes.
};

/// A source whose work blocks: it is done on the compute pool.
class blocking_source final : public context_source {
 public:
  using gather = std::function<result<context_answer>(context_question const&)>;
  blocking_source(std::string name, std::string heading, gather work)
      : name_(std::move(name)), heading_(std::move(heading)), work_(std::move(work)) {}

  std::string const& name() const noexcept override { return name_; }
  std::string const& heading() const noexcept override { return heading_; }
  task<result<context_answer>> async_gather(context_question question) override {
    // A copy of what the work needs: it may outlive the source when nobody waits for it any more.
    auto work = [gather_now = work_, asked = std::move(question)] { return gather_now(asked); };
    co_return co_await offload(compute_pool::shared(), std::move(work), name_);
  }

 private:
  std::string const name_;
  std::string const heading_;
  gather const work_;
};

struct edit_in {
  std::optional<std::string> old_text;
  std::string new_text;
};

}  // namespace

std::shared_ptr<context_source> memory_context(scope_handle scope, memory_context_options options) {
  return std::make_shared<recall_source>(std::move(scope), std::move(options));
}

struct working_notes::state {
  scope_handle scope;
  working_notes_options options;

  item_space items() const { return scope.items(options.space); }
  result<std::optional<item>> load() const { return items().get(options.key); }
  result<std::string> text_of(std::optional<item> const& stored) const {
    if (!stored) return std::string();
    return decode<std::string>(stored->value);
  }
  result<void> save(std::string const& text, std::uint64_t version) const {
    if (text.size() > options.bytes_max)
      return error{errc::limit_reached,
                   "the notes would be " + std::to_string(text.size()) + " bytes long; the most is " +
                       std::to_string(options.bytes_max) + ": take something out",
                   "working_notes"};
    if (!is_valid_utf8(text)) return error{errc::invalid_argument, "the notes are not UTF-8", "working_notes"};
    auto done = items().put_as(options.key, text, {.expected_version = version});
    if (!done) return std::move(done).error();
    return {};
  }
};

working_notes::working_notes(scope_handle scope, working_notes_options options)
    : state_(std::make_shared<state const>(state{std::move(scope), std::move(options)})) {}

result<std::string> working_notes::read() const {
  auto const stored = state_->load();
  if (!stored) return stored.error();
  return state_->text_of(*stored);
}

result<void> working_notes::write(std::string const& text) const {
  auto const stored = state_->load();
  if (!stored) return stored.error();
  return state_->save(text, *stored ? (*stored)->version : 0);
}

result<void> working_notes::edit(std::string const& old_text, std::string const& new_text) const {
  auto const stored = state_->load();
  if (!stored) return stored.error();
  auto text = state_->text_of(*stored);
  if (!text) return std::move(text).error();
  if (old_text.empty()) {
    if (!text->empty() && text->back() != '\n') *text += '\n';
    *text += new_text;
  } else {
    auto const at = text->find(old_text);
    if (at == std::string::npos)
      return error{errc::not_found, "that text does not stand in the notes; give it exactly as it is there",
                   "working_notes"};
    if (text->find(old_text, at + 1) != std::string::npos)
      return error{errc::conflict, "that text stands in the notes more than once; give more of it", "working_notes"};
    text->replace(at, old_text.size(), new_text);
  }
  return state_->save(*text, *stored ? (*stored)->version : 0);
}

std::shared_ptr<context_source> working_notes::context() const {
  auto work = [notes = *this](context_question const&) -> result<context_answer> {
    auto text = notes.read();
    if (!text) return std::move(text).error();
    context_answer out;
    if (!text->empty())
      out.blocks.push_back({.source = {}, .id = notes.state_->options.key, .text = std::move(*text), .note = {}});
    return out;
  };
  auto const& options = state_->options;
  return std::make_shared<blocking_source>(options.name, options.heading, std::move(work));
}

result<std::vector<tool>> working_notes::tools() const {
  auto edit_notes = [notes = *this](edit_in const& in) -> result<std::string> {
    if (auto done = notes.edit(in.old_text.value_or(""), in.new_text); !done) return std::move(done).error();
    return std::string("the notes are changed");
  };
  std::vector<tool> out;
  out.emplace_back("edit_notes",
                   "Changes the notes that you see before every message: old_text becomes new_text; without old_text, "
                   "new_text is added.",
                   std::move(edit_notes));
  return out;
}

}  // namespace wherry::inline v0
