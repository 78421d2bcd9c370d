// Step 2 of a run: context sources are asked for what bears on the user's message.

#include "runner.hpp"

#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace detail {
namespace {

// What went in, by name only: a session that held the texts would keep what is erased elsewhere.
session_event context_event(ulid const& run, std::vector<context_section> const& sections) {
  json blocks = json::array();
  for (auto const& section : sections)
    for (auto const& block : section.blocks) blocks.push_back({{"source", block.source}, {"id", block.id}});
  json payload;
  payload["context"] = std::move(blocks);
  return {.type = event_type::note, .run = run, .payload = to_text(payload)};
}

}  // namespace

task<void> runner::gather() {
  gathered_ = true;
  auto const& budget = agent_->budget;
  std::size_t bytes = 0, tokens = 0;
  record.before_message = budget.before_message;
  for (auto const& source : agent_->sources) {
    if (bytes >= budget.bytes_max || tokens >= budget.tokens_max) {
      note({"context", "the source \"" + source->name() + "\" was not asked: the budget is spent"});
      continue;
    }
    context_question question{.text = record.transcript[record.first_new].text(),
                              .bytes_max = budget.bytes_max - bytes,
                              .until = std::min(until_, std::chrono::steady_clock::now() + budget.time)};
    auto const until = question.until;
    auto asking = source->async_gather(std::move(question));
    auto timed = with_deadline(std::move(asking), until, "the context source \"" + source->name() + '"', stop_);
    auto got = co_await std::move(timed);
    if (stop_.stopped()) co_return;  // the run is cancelled; advance() ends it
    if (!got) {
      note({"context", "the source \"" + source->name() + "\" gave nothing: " + got.error().message});
      continue;
    }
    for (auto& what : got->degraded) note({"context", source->name() + ": " + what});
    context_section section{source->heading(), {}};
    for (auto& block : got->blocks) {
      block.source = source->name();
      block.text = utf8_repaired(block.text);
      block.note = utf8_repaired(block.note);
      auto const size = agent_->llm->count_tokens(context_text({{"", {block}}}, ""));
      bool const fits = bytes + block.text.size() <= budget.bytes_max && tokens + size <= budget.tokens_max;
      if (fits) {
        bytes += block.text.size();
        tokens += size;
      }
      (fits ? section.blocks : record.context_left_out).push_back(std::move(block));
    }
    if (!section.blocks.empty()) record.context.push_back(std::move(section));
  }
  if (agent_->sources.empty()) co_return;
  context_gathered told{.blocks = {}, .left_out = record.context_left_out.size()};
  for (auto const& section : record.context)
    told.blocks.insert(told.blocks.end(), section.blocks.begin(), section.blocks.end());
  if (session_ && !told.blocks.empty()) unwritten_.push_back(context_event(record.id, record.context));
  emit(std::move(told));
}

bool runner::drop_context() {
  if (context_dropped_ || record.context.empty()) return false;
  context_dropped_ = true;
  note({"context", "what the context sources gave was left out of the request: it does not fit the model's context"});
  return true;
}

}  // namespace detail
}  // namespace wherry::inline v0
