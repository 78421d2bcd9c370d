#include "local/generation.hpp"

#include <wherry/core/text.hpp>

#include <algorithm>

namespace wherry::inline v0 {
namespace local {

generation::generation(generation_plan plan, engine::sampler sampler, std::shared_ptr<answer_channel> channel,
                       engine::transformer const& model, tokenizer const& tokens)
    : plan_(std::move(plan)),
      sampler_(std::move(sampler)),
      channel_(std::move(channel)),
      model_(model),
      tokens_(tokens),
      parser_(plan_.family, plan_.may),
      history_(plan_.prompt) {
  for (auto const& mark : plan_.may.control)
    if (auto const id = tokens_.find(mark)) marks_.push_back(*id);
  if (plan_.grammar) matcher_.emplace(*plan_.grammar);
  for (std::size_t i = 0; i < plan_.adapters.size(); ++i)
    adapters_.push_back({plan_.adapters[i].get(), plan_.request.adapters[i].strength});
}

void generation::start(known_sequence from) {
  if (from.adapters != plan_.request.adapters) {  // computed by another model, so to speak
    from.ids.clear();
    from.keys_and_values.truncate(0);
    from.adapters = plan_.request.adapters;
  }
  auto const [mine, theirs] = std::mismatch(plan_.prompt.begin(), plan_.prompt.end(), from.ids.begin(), from.ids.end());
  (void)theirs;
  // At least the last token is computed: its logits are what the answer begins with.
  cached_ = std::min<std::size_t>(static_cast<std::size_t>(mine - plan_.prompt.begin()), plan_.prompt.size() - 1);
  from.keys_and_values.truncate(cached_);
  from.ids.resize(cached_);
  sequence_.emplace(std::move(from));
  logits_.resize(model_.configuration().vocabulary);
}

bool generation::is_over() {
  if (channel_->cancelled()) return fail({errc::cancelled, "the answer was cancelled", "local_model"});
  if (std::chrono::steady_clock::now() < plan_.request.until) return false;
  return fail({errc::deadline_exceeded,
               "the answer was not complete at its deadline; " + std::to_string(produced_) + " tokens were computed",
               "local_model"});
}

bool generation::step(engine::worker_pool& pool) {
  if (is_over()) return true;
  return sequence_->ids.size() < plan_.prompt.size() ? prefill(pool) : decode(pool);
}

bool generation::fail(error why) {
  channel_->fail(std::move(why));
  return true;
}

// A malformed answer is told with its text: the end of it, where the mistake is.
error generation::with_raw(error why) const {
  constexpr std::size_t shown_max = 400;
  std::string_view raw = parser_.raw();
  bool const whole = raw.size() <= shown_max;
  if (!whole) raw.remove_prefix(raw.size() - shown_max);
  why.message += "; the answer" + std::string(whole ? " was: " : " ended: ") + utf8_repaired(raw);
  return why;
}

bool generation::prefill(engine::worker_pool& pool) {
  std::size_t const done = sequence_->ids.size();
  std::size_t const count = std::min(engine::transformer::chunk_tokens, plan_.prompt.size() - done);
  bool const last = done + count == plan_.prompt.size();
  auto const ids = std::span(plan_.prompt).subspan(done, count);
  auto read =
      model_.forward(ids, sequence_->keys_and_values, pool, last ? std::span(logits_) : std::span<float>{}, how());
  if (!read) return fail(std::move(read).error());
  sequence_->ids.insert(sequence_->ids.end(), ids.begin(), ids.end());
  return false;
}

// The tokens of what the grammar forces next, as the tokenizer spells it before what is likely to follow. A last token
// that would be spelled otherwise then is left to the sampler.
std::vector<token_id> generation::forced_tokens() const {
  auto const& wanted = plan_.request.sampling;
  if (!matcher_ || wanted.logprobs || wanted.top_logprobs > 0) return {};
  std::string const forced = matcher_->forced();
  if (forced.empty()) return {};
  auto ids = tokens_.encode(forced);
  std::string spelled;
  for (token_id const id : ids) spelled += tokens_.token_bytes(id);
  if (spelled != forced) return {};  // some tokenizers put a space in front of every text
  grammar::matcher behind = *matcher_;
  if (!behind.accept_bytes(forced)) return {};
  for (std::string_view const next : {"a", "T", "1", "\"", "{", "-"}) {
    if (grammar::matcher probe = behind; !probe.accept_bytes(next)) continue;
    auto const longer = tokens_.encode(forced + std::string(next));
    auto const same = std::mismatch(ids.begin(), ids.end(), longer.begin(), longer.end()).first;
    if (next == "\"" && same != ids.end() && ids.size() > 1) continue;  // an empty string is the rarer case
    ids.erase(same, ids.end());
  }
  grammar::matcher ahead = *matcher_;
  for (token_id const id : ids) {
    if (!ahead.accept(id)) return {};
  }
  std::size_t const left = plan_.tokens_max - produced_;
  if (ids.size() > left || ahead.shortest_completion() > left - ids.size()) return {};
  return ids;
}

// Accepts forced tokens and hands them on. True when the answer has ended.
bool generation::take_forced(std::vector<token_id> const& ahead) {
  for (token_id const id : ahead) {
    if (!matcher_->accept(id))
      return fail({errc::internal, "a forced token is not allowed by the grammar", "local_model"});
    ++produced_;
    history_.push_back(id);
    if (emit(id)) return true;
  }
  return false;
}

// Computes tokens that are known as one small prompt. True when that failed.
bool generation::read(std::vector<token_id> const& known, engine::worker_pool& pool) {
  for (std::size_t done = 0; done < known.size();) {
    std::size_t const count = std::min(engine::transformer::chunk_tokens, known.size() - done);
    auto const ids = std::span(known).subspan(done, count);
    done += count;
    auto const logits = done == known.size() ? std::span(logits_) : std::span<float>{};
    auto forward = model_.forward(ids, sequence_->keys_and_values, pool, logits, how());
    if (!forward) return fail(std::move(forward).error());
    sequence_->ids.insert(sequence_->ids.end(), ids.begin(), ids.end());
  }
  return false;
}

bool generation::decode(engine::worker_pool& pool) {
  if (produced_ == 0) {
    // How an answer begins is often known.
    if (auto const ahead = forced_tokens(); !ahead.empty()) return take_forced(ahead) || read(ahead, pool);
  }
  std::optional<engine::token_mask> allowed;
  std::size_t const budget = plan_.tokens_max - produced_;
  if (matcher_) {
    allowed = matcher_->allowed(budget);
    // Nothing but the end may follow: it need not be computed.
    if (matcher_->is_complete()) {
      std::size_t open = 0;
      for (auto const word : *allowed) open += static_cast<std::size_t>(__builtin_popcountll(word));
      for (auto const end : tokens_.end_of_generation()) open -= grammar::is_allowed(*allowed, end) ? 1 : 0;
      if (open == 0) return finish(finish_reason::stop);
    }
  }
  if (budget == 0) return finish(finish_reason::length);

  draw_key key = plan_.request.draws;
  key.position = static_cast<std::uint32_t>(produced_);
  auto chosen = sampler_.sample(logits_, allowed, history_, key);
  if (!chosen) return fail(std::move(chosen).error());
  if (ends(chosen->token)) return finish(finish_reason::stop);
  if (matcher_ && !matcher_->accept(chosen->token))
    return fail({errc::internal, "a token was drawn that the grammar does not allow", "local_model"});
  ++produced_;
  history_.push_back(chosen->token);
  report(*chosen);
  if (emit(chosen->token)) return true;

  // What must follow is computed in the same pass.
  std::vector<token_id> known{chosen->token};
  if (auto const ahead = forced_tokens(); !ahead.empty()) {
    if (take_forced(ahead)) return true;
    known.insert(known.end(), ahead.begin(), ahead.end());
  }
  return read(known, pool);
}

void generation::report(engine::sampled_token const& chosen) {
  auto const& wanted = plan_.request.sampling;
  if (!wanted.logprobs && wanted.top_logprobs == 0) return;
  token_chosen event;
  event.token = chosen.token;
  event.bytes = tokens_.token_bytes(chosen.token);
  event.logprob = chosen.logprob.value_or(0);
  for (auto const& other : chosen.alternatives) event.alternatives.emplace_back(other.token, other.logprob);
  channel_->push(std::move(event));
}

// In a family whose answers are several messages the end of one is a mark inside, unless a grammar says otherwise.
bool generation::ends(token_id token) const {
  auto const all = tokens_.end_of_generation();
  if (std::find(all.begin(), all.end(), token) == all.end()) return false;
  return matcher_ || tokens_.eos() == token || !plan_.family.goes_on_after(tokens_.piece(token));
}

// True when the answer has ended.
bool generation::emit(token_id token) {
  bool const is_mark = std::find(marks_.begin(), marks_.end(), token) != marks_.end();
  if (is_mark || tokens_.kind(token) == token_kind::control) return emit_control(token);
  held_ += tokens_.token_bytes(token);
  if (looks_for_stops()) {
    if (auto const stop = find_stop()) {
      held_.resize(*stop);
      return finish(finish_reason::stop);
    }
  }
  // Kept back: half a code point, and what may be the beginning of a stop string.
  std::size_t ready = utf8_complete_prefix(held_);
  if (looks_for_stops()) {
    for (auto const& stop : plan_.request.stop)
      for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > 0; --n)
        if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) {
          ready = std::min(ready, held_.size() - n);
          break;
        }
  }
  std::string const text = held_.substr(0, ready);
  held_.erase(0, ready);
  return !text.empty() && emit_text(text);
}

std::optional<std::size_t> generation::find_stop() const {
  std::size_t first = std::string::npos;
  for (auto const& stop : plan_.request.stop) first = std::min(first, held_.find(stop));
  return first == std::string::npos ? std::nullopt : std::optional(first);
}

// True when the text cannot belong to an answer, which ends it.
bool generation::emit_text(std::string_view text) { return hand_on(parser_.push(utf8_repaired(text))); }

bool generation::emit_control(token_id token) {
  if (!held_.empty() && emit_text(std::exchange(held_, {}))) return true;
  return hand_on(parser_.push_control(tokens_.token_bytes(token, {.show_special = true})));
}

bool generation::hand_on(result<std::vector<answer_event>> events) {
  if (!events) return fail(with_raw(std::move(events).error()));
  for (auto& event : *events) {
    if (auto* delta = std::get_if<text_delta>(&event))
      channel_->push(std::move(*delta));
    else if (auto* thought = std::get_if<reasoning_delta>(&event))
      channel_->push(std::move(*thought));
    else if (auto* ready = std::get_if<tool_call_ready>(&event)) {
      // Ids are stable: the same run, step and place give the same id, also in a replay.
      ready->call.id = "call-" + std::to_string(plan_.request.draws.step) + '-' + std::to_string(calls_.size() + 1);
      calls_.push_back(ready->call);
      channel_->push(std::move(*ready));
    }
  }
  return false;
}

bool generation::finish(finish_reason reason) {
  if (!held_.empty() && emit_text(std::exchange(held_, {}))) return true;
  std::size_t const streamed_calls = calls_.size();
  auto answer = parser_.finish(reason == finish_reason::length);
  if (!answer) return fail(with_raw(std::move(answer).error()));
  // The grammar says it already, but of bytes: what is no UTF-8 was repaired.
  if (plan_.text && answer->calls.empty())
    if (auto held = plan_.text->check(answer->text); !held) return fail(with_raw(std::move(held).error()));
  response_end end;
  end.answer.role = role::assistant;
  if (!answer->reasoning.empty()) end.answer.parts.push_back(reasoning_part{std::move(answer->reasoning), {}});
  if (!answer->text.empty()) end.answer.parts.push_back(text_part{std::move(answer->text)});
  for (std::size_t i = 0; i < answer->calls.size(); ++i) {
    auto& call = answer->calls[i];
    call.id = "call-" + std::to_string(plan_.request.draws.step) + '-' + std::to_string(i + 1);
    if (i >= streamed_calls) channel_->push(tool_call_ready{call});
    end.answer.parts.push_back(std::move(call));
  }
  // What a grammar bounds is whole whenever it lets it end; text that fills its budget was cut off.
  if (!end.answer.tool_calls().empty())
    reason = finish_reason::tool_calls;
  else if (!answer->is_output && !plan_.may.constraint && produced_ == plan_.tokens_max)
    reason = finish_reason::length;
  end.reason = reason;
  end.usage = {.prompt_tokens = plan_.prompt.size(), .cached_prompt_tokens = cached_, .completion_tokens = produced_};
  end.notices = std::move(plan_.notices);
  channel_->finish(std::move(end));
  return true;
}

}  // namespace local
}  // namespace wherry::inline v0
