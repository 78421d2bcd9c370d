#include <wherry/agent/extraction.hpp>

#include "extraction_reading.hpp"
#include "fact_rules.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/core/text.hpp>
#include <wherry/memory/quote.hpp>
#include <wherry/memory/transaction.hpp>

#include <algorithm>
#include <utility>

namespace wherry::inline v0 {
namespace extraction_answers {

enum class fact_kind { fact, preference, procedure, episode };

struct extracted_fact {
  std::string quote;
  std::string fact;
  fact_kind kind = fact_kind::fact;
  std::string subject;
  std::optional<std::string> attribute;
};

struct extracted {
  std::vector<extracted_fact> facts;
};

}  // namespace extraction_answers

template <>
inline constexpr auto describe<extraction_answers::extracted_fact> = std::tuple{
    field<&extraction_answers::extracted_fact::quote>("The words of the text that say it, copied exactly"),
    field<&extraction_answers::extracted_fact::fact>("The fact as one whole sentence, with names instead of pronouns")
        .length(1, 300),
    field<&extraction_answers::extracted_fact::subject>("Whom or what it is about, e.g. user").length(1, 80),
    field<&extraction_answers::extracted_fact::attribute>("What it says of the subject, e.g. home city; only where "
                                                          "there can be one at a time")
        .length(1, 80)};
template <>
inline constexpr auto describe<extraction_answers::extracted> = std::tuple{
    field<&extraction_answers::extracted::facts>("None when the text states nothing worth keeping").items(0, 8)};

char const* const extraction_instructions =
    "You read one message and list the lasting facts it states: who somebody is, what they like, own, do or plan, how "
    "something is done. For each fact copy the words of the message that say it, exactly, and say it as one whole "
    "sentence; "
    "call the one who wrote the message \"the user\". List nothing that the message does not state: no questions, no "
    "greetings, no guesses. Where it states nothing lasting, the list is empty.";

namespace {

using namespace extraction_answers;
using namespace detail;

/// A quote can be made a choice among so many sentences.
constexpr std::size_t sentence_choices_max = 64;
/// How many known records are compared with a new fact.
constexpr std::size_t known_compared = 5;

/// A fact before it is judged.
struct proposal {
  said_piece const* from = nullptr;
  std::string quote;
  record what;  ///< Its source is filled in by judging.
};

char const* kind_name(fact_kind kind) {
  switch (kind) {
    case fact_kind::preference: return "preference";
    case fact_kind::procedure: return "procedure";
    case fact_kind::episode: return "episode";
    case fact_kind::fact: break;
  }
  return "fact";
}

/// The answer's schema; a model whose decoding is constrained can only quote a sentence of the piece.
output_contract contract_for(said_piece const& piece, bool constrained) {
  auto contract = output_contract::of<extracted>();
  auto const sentences = sentences_of(piece.text);
  if (!constrained || sentences.empty() || sentences.size() > sentence_choices_max) return contract;
  auto schema = parse_json(contract.schema->text);
  if (!schema) return contract;
  json choices = json::array();
  for (auto const& at : sentences) {
    auto sentence = piece.text.substr(at.begin, at.end - at.begin);
    if (std::find(choices.begin(), choices.end(), sentence) == choices.end()) choices.push_back(std::move(sentence));
  }
  auto const at = json::json_pointer("/properties/facts/items/properties/quote");
  if (!schema->contains(at)) return contract;
  (*schema)[at] = {{"enum", std::move(choices)}};
  contract.schema = raw_json{to_text(*schema)};
  return contract;
}

std::vector<proposal> proposals_by_rules(std::vector<said_piece> const& pieces) {
  std::vector<proposal> out;
  for (auto const& piece : pieces) {
    if (piece.origin != record_origin::user) continue;
    for (auto const& stated : facts_by_rules(piece.text)) {
      auto const text = piece.text.substr(stated.at.begin, stated.at.end - stated.at.begin);
      out.push_back({&piece,
                     text,
                     {.kind = stated.kind,
                      .text = text,
                      .title = "user",
                      .subject = "user",
                      .attribute = stated.attribute,
                      .origin = record_origin::user}});
    }
  }
  return out;
}

task<result<std::vector<proposal>>> proposals_by_model(agent reader, std::vector<said_piece> const& pieces,
                                                       std::uint64_t seed) {
  std::vector<proposal> out;
  bool const constrained = reader.llm()->info().can.grammar;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    auto const& piece = pieces[i];
    auto contract = contract_for(piece, constrained);
    auto under_way = reader.seed(seed + i).start(message::user(piece.text), std::nullopt, std::move(contract));
    auto answered = co_await under_way.async_result();
    if (!answered) co_return std::move(answered).error();
    auto facts = decode<extracted>(answered->output);
    if (!facts) co_return std::move(facts).error();
    for (auto& f : facts->facts)
      out.push_back({&piece,
                     std::move(f.quote),
                     {.kind = kind_name(f.kind),
                      .text = std::move(f.fact),
                      .subject = std::move(f.subject),
                      .attribute = f.attribute.value_or(""),
                      .origin = piece.origin}});
  }
  co_return out;
}

/// A user who says in a sentence of his own what is known already gives it one more proof; one who cites it does not.
bool is_restated(proposal const& p, std::size_t at, std::vector<std::string> const& recalled) {
  if (p.from->origin != record_origin::user) return false;
  auto const sentences = sentences_of(p.from->text);
  text_span const quoted{at, at + p.quote.size()};
  return std::find(sentences.begin(), sentences.end(), quoted) != sentences.end() &&
         std::any_of(recalled.begin(), recalled.end(),
                     [&](std::string const& known) { return same_but_for_form(known, p.what.text); });
}

/// The span of a quote, and whether the fact may be kept. Counts what is refused.
bool judge(proposal& p, reading const& read, extraction_report& report) {
  bool const fits = !p.what.text.empty() && p.what.text.size() <= record_bytes_max && is_valid_utf8(p.what.text) &&
                    p.what.subject.size() <= record_label_bytes_max &&
                    p.what.attribute.size() <= record_label_bytes_max;
  if (!fits) return ++report.unusable, false;
  auto const at = p.quote.empty() ? std::string::npos : p.from->text.find(p.quote);
  if (at == std::string::npos) return ++report.without_span, false;
  if (is_recalled(p.quote, read.recalled) && !is_restated(p, at, read.recalled)) return ++report.recalled, false;
  if (!numbers_were_said(p.what.text, p.from->text)) return ++report.number_not_said, false;
  p.what.source = {.session = read.session,
                   .first_seq = p.from->seq,
                   .last_seq = p.from->seq,
                   .begin = p.from->begin + at,
                   .end = p.from->begin + at + p.quote.size()};
  p.what.valid_from = p.from->time;
  return true;
}

/// A fact whose words are known already is remembered as what they are known as, so that it is merged. Blocking.
result<void> take_known_form(scope_handle const& scope, record& r) {
  recall_query query{.text = r.text.substr(0, utf8_complete_prefix(r.text.substr(0, recall_text_bytes_max))),
                     .limit = known_compared};
  auto const found = scope.recall(query);
  if (!found) return found.error();
  for (auto const& hit : found->hits) {
    auto const& known = hit.record;
    if (!same_but_for_form(known.text, r.text) || known.origin == record_origin::document) continue;
    r.kind = known.kind;
    r.subject = known.subject;
    r.attribute = known.attribute;
    return {};
  }
  return {};
}

/// A job between its reading and its commit.
struct learning {
  scope_handle scope;
  outbox_job job;
  reading read = {};
  std::vector<proposal> proposals = {};  ///< They point into the pieces that were read.
  extraction_report report = {};
};

/// Commits the facts that may be kept together with the end of their job. Blocking.
result<extraction_report> keep_facts(learning& l) {
  transaction tx{l.scope};
  for (auto& p : l.proposals) {
    if (!judge(p, l.read, l.report)) continue;
    if (auto known = take_known_form(l.scope, p.what); !known) return std::move(known).error();
    tx.remember(std::move(p.what));
  }
  tx.finish(l.job.id);
  if (auto done = tx.commit(); !done) return std::move(done).error();
  l.report.facts = tx.reports();
  return std::move(l.report);
}

std::uint64_t seed_of(ulid const& run, std::uint32_t attempts) {
  std::uint64_t out = attempts;
  for (std::size_t i = 8; i < 16; ++i) out = (out << 8) ^ run.bytes[i] ^ (out >> 56);
  return out;
}

}  // namespace

std::size_t extraction_report::count(remembered outcome) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(facts.begin(), facts.end(), [&](remember_report const& f) { return f.outcome == outcome; }));
}

outbox_job extraction_job(std::string const& session, ulid const& run, std::uint64_t first_seq,
                          std::uint64_t last_seq) {
  json payload;
  payload["session"] = session;
  payload["run"] = run.text();
  payload["first_seq"] = first_seq;
  payload["last_seq"] = last_seq;
  return {.kind = extraction_job_kind, .payload = to_text(payload), .idempotency_key = "extract_facts:" + run.text()};
}

fact_extractor::fact_extractor(extraction_options options) : options_(std::move(options)) {}
fact_extractor::fact_extractor(std::shared_ptr<model> llm, extraction_options options)
    : llm_(std::move(llm)), options_(std::move(options)) {}

task<result<std::optional<extraction_report>>> fact_extractor::async_next(scope_handle scope) const {
  auto const options = options_;
  auto const llm = llm_;
  auto const pool = compute_pool::shared();
  auto claim = [scope, lease = options.lease] { return scope.claim_job(extraction_job_kind, lease); };
  auto claimed = co_await offload(pool, std::move(claim), "extraction: claim");
  if (!claimed) co_return std::move(claimed).error();
  if (!*claimed) co_return std::optional<extraction_report>{};
  auto const held = std::make_shared<learning>(learning{.scope = scope, .job = std::move(**claimed)});
  auto const& job = held->job;
  auto& report = held->report;

  auto read_now = [scope, job, options] { return read_job(scope, job, options); };
  auto read = co_await offload(pool, std::move(read_now), "extraction: read");
  if (!read) co_return std::move(read).error();
  held->read = std::move(*read);
  report.session = held->read.session;
  report.run = held->read.run;
  report.texts = held->read.pieces.size();
  report.degraded = held->read.degraded;

  report.by = llm && job.attempts <= options.attempts_max ? "model" : "rules";
  if (report.by == "model") {
    run_limits const limits{.steps = 1,
                            .total_tokens = std::max<std::size_t>(1, llm->info().context_tokens) +
                                            options.answer_tokens + options.text_bytes_max,
                            .step_tokens = options.answer_tokens,
                            .time = options.time};
    auto reader = agent(llm, options.instructions).named("extract_facts").limits(limits).sampling({.temperature = 0});
    auto found =
        co_await proposals_by_model(std::move(reader), held->read.pieces, seed_of(held->read.run, job.attempts));
    if (!found) co_return std::move(found).error();
    held->proposals = std::move(*found);
  } else if (llm) {
    report.degraded.push_back("the model failed " + std::to_string(options.attempts_max) + " times; the rules did it");
  }

  auto keep_now = [held, by_rules = report.by == "rules"] {
    if (by_rules) held->proposals = proposals_by_rules(held->read.pieces);
    return keep_facts(*held);
  };
  auto done = co_await offload(pool, std::move(keep_now), "extraction: keep");
  if (!done) co_return std::move(done).error();
  co_return std::optional(std::move(*done));
}

result<std::optional<extraction_report>> fact_extractor::next(scope_handle const& scope) const {
  return run_blocking(async_next(scope), "fact_extractor.next", "fact_extractor.async_next");
}

}  // namespace wherry::inline v0
