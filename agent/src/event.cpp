#include <wherry/agent/event.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>

#include <cmath>

namespace wherry::inline v0 {
namespace {

json usage_json(token_usage const& u) {
  json j;
  j["prompt_tokens"] = u.prompt_tokens;
  j["cached_prompt_tokens"] = u.cached_prompt_tokens;
  j["completion_tokens"] = u.completion_tokens;
  if (u.estimated) j["estimated"] = true;
  return j;
}

struct writer {
  json& j;

  void operator()(run_started const& e) const {
    j["type"] = "run_started";
    j["run"] = e.run;
    j["agent"] = e.agent;
    j["model"] = e.model;
    j["seed"] = e.seed;
  }
  void operator()(context_gathered const& e) const {
    j["type"] = "context_gathered";
    j["blocks"] = json::array();
    for (auto const& block : e.blocks) {
      json one;
      one["source"] = block.source;
      one["id"] = utf8_repaired(block.id);
      one["text"] = utf8_repaired(block.text);
      if (!block.note.empty()) one["note"] = utf8_repaired(block.note);
      j["blocks"].push_back(std::move(one));
    }
    j["left_out"] = e.left_out;
  }
  void operator()(step_started const& e) const {
    j["type"] = "step_started";
    j["step"] = e.step;
  }
  void operator()(answer_text const& e) const {
    j["type"] = "answer_text";
    j["text"] = e.text;
  }
  void operator()(answer_reasoning const& e) const {
    j["type"] = "answer_reasoning";
    j["text"] = e.text;
  }
  void operator()(answer_token const& e) const {
    j["type"] = "answer_token";
    j["token"] = e.token.token;
    j["text"] = utf8_repaired(e.token.bytes);
    j["logprob"] = e.token.logprob;
    json others = json::array();
    for (auto const& [id, logprob] : e.token.alternatives) {
      json one;
      one["token"] = id;
      // a token the grammar forbids has probability zero; JSON has no -infinity
      one["logprob"] = std::isfinite(logprob) ? json(logprob) : json(nullptr);
      others.push_back(std::move(one));
    }
    if (!others.empty()) j["alternatives"] = std::move(others);
  }
  void operator()(call_requested const& e) const {
    j["type"] = "call_requested";
    j["call"] = to_json(e.call);
  }
  void operator()(call_started const& e) const {
    j["type"] = "call_started";
    j["call_id"] = e.call_id;
    j["tool"] = e.tool;
  }
  void operator()(call_finished const& e) const {
    j["type"] = "call_finished";
    j["call_id"] = e.result.call_id;
    j["tool"] = e.result.name;
    j["content"] = utf8_repaired(e.result.content);
    j["failed"] = e.result.failed;
  }
  void operator()(approval_needed const& e) const {
    j["type"] = "approval_needed";
    j["call"] = to_json(e.call);
  }
  void operator()(step_finished const& e) const {
    j["type"] = "step_finished";
    j["step"] = e.step;
    j["reason"] = to_string(e.reason);
    j["usage"] = usage_json(e.usage);
  }
  void operator()(run_notice const& e) const {
    j["type"] = "run_notice";
    j["feature"] = e.what.feature;
    j["effect"] = e.what.effect;
  }
  void operator()(committed const& e) const {
    j["type"] = "committed";
    j["session_seq"] = e.session_seq;
  }
  void operator()(run_finished const& e) const {
    j["type"] = "run_finished";
    j["status"] = e.status;
    j["steps"] = e.steps;
    j["usage"] = usage_json(e.usage);
  }
};

}  // namespace

json to_json(run_event const& event) {
  json j;
  j["v"] = 1;
  std::visit(writer{j}, event);
  return j;
}

}  // namespace wherry::inline v0
