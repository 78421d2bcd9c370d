#include "event_printer.hpp"

#include "interrupt.hpp"

#include <wherry/core/text.hpp>

#include <algorithm>

namespace wherry::cli {
namespace {

constexpr std::size_t label_columns = 12;

std::string label(std::string_view word) {
  return "  " + std::string(word) + std::string(label_columns - std::min(label_columns, word.size()), ' ');
}

}  // namespace

void event_printer::take(run_event const& event) {
  waiting_.reset();
  if (options_.events) put_raw(to_text(to_json(event)) + '\n');
  std::visit([this](auto const& e) { on(e); }, event);
}

void event_printer::tell(std::string_view line) const {
  if (!options_.verbose) return;
  std::size_t const columns = notes_are_terminal() ? terminal_columns() - 1 : 400;
  say(styled(style::dim, one_line(line, columns)));
}

void event_printer::tell_text() {
  if (!text_.empty() && !options_.stream) tell(label("text") + text_);
  text_.clear();
}

void event_printer::on(run_started const& e) {
  tell("run " + e.run + (e.agent.empty() ? "" : ", agent " + e.agent) + ", model " + e.model + ", seed " +
       std::to_string(e.seed));
}

void event_printer::on(step_started const& e) {
  tell("step " + std::to_string(e.step));
  waiting_.emplace("the model reads and thinks");
  step_began_ = std::chrono::steady_clock::now();
  first_text_ = {};
}

void event_printer::on(answer_text const& e) {
  if (first_text_ == time_point{}) first_text_ = std::chrono::steady_clock::now();
  text_ += e.text;
  if (!options_.stream || e.text.empty()) return;
  put(e.text);
  line_is_open_ = e.text.back() != '\n';
}

void event_printer::on(answer_reasoning const& e) {
  if (first_text_ == time_point{}) first_text_ = std::chrono::steady_clock::now();
  if (options_.verbose && options_.stream) say_part(styled(style::dim, harmless(e.text)));
}

void event_printer::on(context_gathered const& e) {
  for (auto const& block : e.blocks) tell(label(block.source) + one_line(block.text, 100));
  if (e.left_out) tell(label("left out") + counted(e.left_out, "block") + " beyond the context budget");
}

void event_printer::on(answer_token const&) {}

void event_printer::on(call_requested const& e) {
  tell_text();
  calls_.push_back({e.call, std::nullopt});
  tell(label("call") + e.call.name + ' ' + e.call.arguments);
}

void event_printer::on(call_started const&) {}

void event_printer::on(call_finished const& e) {
  auto const seen = std::find_if(calls_.begin(), calls_.end(),
                                 [&](seen_call const& c) { return c.call.id == e.result.call_id && !c.outcome; });
  if (seen != calls_.end()) seen->outcome = e.result;
  tell(label(e.result.failed ? "failed" : "result") + e.result.name + ' ' + e.result.content);
}

void event_printer::on(approval_needed const& e) {
  tell(label("waits") + e.call.name + ' ' + e.call.arguments + " needs approval");
}

void event_printer::on(step_finished const& e) {
  tell_text();
  auto const now = std::chrono::steady_clock::now();
  // Speed is that of decoding: from the first text on, where there is one to see.
  bool const saw_text = first_text_ != time_point{} && e.usage.completion_tokens > 1;
  decoding_ += now - (saw_text ? first_text_ : step_began_);
  decoded_tokens_ += e.usage.completion_tokens - (saw_text ? 1 : 0);
  answer_tokens_ += e.usage.completion_tokens;
  tell(label("step done") + to_string(e.reason) + " after " + duration_text(now - step_began_) + "; prompt " +
       std::to_string(e.usage.prompt_tokens) + " tokens (" + std::to_string(e.usage.cached_prompt_tokens) +
       " cached), answer " + std::to_string(e.usage.completion_tokens));
}

void event_printer::on(run_notice const& e) {
  if (options_.events) return;
  if (line_is_open_) put_raw("\n");
  line_is_open_ = false;
  say_notice(harmless(e.what.feature + ": " + e.what.effect));
}

void event_printer::on(committed const& e) {
  tell(label("committed") + "up to event " + std::to_string(e.session_seq));
}

void event_printer::on(run_finished const& e) {
  tell("run " + e.status + " after " + counted(e.steps, "step") + "; " + speed_text());
}

std::optional<double> event_printer::tokens_per_second() const {
  auto const seconds = std::chrono::duration<double>(decoding_).count();
  if (decoded_tokens_ == 0 || seconds <= 0) return std::nullopt;
  return static_cast<double>(decoded_tokens_) / seconds;
}

std::string event_printer::speed_text() const {
  auto const speed = tokens_per_second();
  return counted(answer_tokens_, "token") + (speed ? ", " + tenths(*speed) + " tokens/s" : "");
}

result<run_result<std::string>> drive(run<std::string>& under_way, event_printer& printer) {
  interrupt_guard const guard([&under_way] { under_way.cancel(); });
  for (auto const& event : under_way) printer.take(event);
  return under_way.result();
}

json calls_json(std::vector<event_printer::seen_call> const& calls) {
  json list = json::array();
  for (auto const& seen : calls) {
    json j;
    j["tool"] = seen.call.name;
    j["arguments"] = utf8_repaired(seen.call.arguments);
    if (seen.outcome) {
      j["content"] = utf8_repaired(seen.outcome->content);
      j["failed"] = seen.outcome->failed;
    }
    list.push_back(std::move(j));
  }
  return list;
}

json usage_json(token_usage const& usage) {
  json j;
  j["prompt_tokens"] = usage.prompt_tokens;
  j["cached_prompt_tokens"] = usage.cached_prompt_tokens;
  j["completion_tokens"] = usage.completion_tokens;
  return j;
}

}  // namespace wherry::cli
