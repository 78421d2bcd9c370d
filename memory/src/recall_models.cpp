// A recall with models: one that embeds the question, one that reads what was found. Neither may make a recall fail or
// wait beyond its time.

#include "recall_draft.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/core/text.hpp>
#include <wherry/llm/embedder.hpp>
#include <wherry/memory/scope.hpp>

#include <algorithm>
#include <cmath>

namespace wherry::inline v0 {

using namespace memory_detail;

namespace {

deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

std::optional<error> refuse(recall_options const& o) {
  auto const wrong = [](std::string message) { return error{errc::invalid_argument, std::move(message), "recall"}; };
  if (o.reranker && (o.reranked == 0 || o.reranked > reranked_max))
    return wrong("a re-ranker is asked to read " + std::to_string(o.reranked) + " hits; it reads 1 to " +
                 std::to_string(reranked_max));
  if (o.reranker && o.reranked_text_bytes_max == 0) return wrong("a re-ranker is given nothing of a text to read");
  if (o.model_time.count() <= 0) return wrong("a recall's models are given no time");
  return std::nullopt;
}

// Both keep the model alive, for as long as it works: the recall may have gone on without it.
task<result<embeddings>> embed(std::shared_ptr<embedder> model, std::vector<std::string> texts,
                               encode_text_options how) {
  co_return co_await model->async_embed(std::move(texts), text_purpose::query, how);
}
task<result<std::vector<float>>> score(std::shared_ptr<reranker> model, std::string question,
                                       std::vector<std::string> texts, encode_text_options how) {
  co_return co_await model->async_score(std::move(question), std::move(texts), how);
}

/// One recall with models, whichever thread its search runs on.
class model_recall {
 public:
  model_recall(recall_query q, recall_options o) : q_(std::move(q)), o_(std::move(o)) {}

  bool embeds() const {
    if (!o_.embedder || q_.text.empty() || q_.weights.vector == 0) return false;
    auto const& fingerprint = o_.embedder->info().fingerprint;
    return std::none_of(q_.vectors.begin(), q_.vectors.end(),
                        [&](embedding const& v) { return v.fingerprint == fingerprint; });
  }
  task<result<embeddings>> embedding_of_question() const {
    auto const until = in(o_.model_time);
    encode_text_options const how{.overlong = overlong_text::shorten, .until = until};
    return with_deadline(embed(o_.embedder, {q_.text}, how), until, "the embedder");
  }
  void take_embedding(result<embeddings> const& made) {
    if (!made)
      degraded_.push_back("vector: the question was not embedded: " + made.error().message);
    else if (made->size() != 1)
      degraded_.push_back("vector: the embedder returned " + std::to_string(made->size()) + " vectors for one text");
    else
      q_.vectors.push_back({o_.embedder->info().fingerprint, made->values});
  }

  /// What the arms are asked for: as many hits as the re-ranker reads, the budget of bytes left for afterwards.
  recall_query search_query() const {
    auto q = q_;
    if (!reranks()) return q;
    q.limit = q.limit == 0 ? 0 : std::max(q.limit, o_.reranked);
    q.text_bytes_max = 0;
    return q;
  }

  bool reranks() const { return o_.reranker && !q_.text.empty(); }
  task<result<std::vector<float>>> scores_of(recall_draft const& draft) const {
    auto const until = in(o_.model_time);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < read_of(draft); ++i) {
      auto const& r = draft.found.hits[i].record;
      auto text = (r.title.empty() ? "" : r.title + ": ") + r.text;
      auto const shown = std::string_view(text).substr(0, o_.reranked_text_bytes_max);
      text.resize(utf8_complete_prefix(shown));
      texts.push_back(std::move(text));
    }
    encode_text_options const how{.overlong = overlong_text::shorten, .until = until};
    return with_deadline(score(o_.reranker, q_.text, std::move(texts), how), until, "the re-ranker");
  }
  void take_scores(result<std::vector<float>> const& scores, recall_draft& draft) {
    auto& hits = draft.found.hits;
    auto const read = read_of(draft);
    auto const give_up = [&](std::string const& why) {
      degraded_.push_back("re-ranker: " + why + "; the order is that of the arms");
    };
    if (!scores) return give_up(scores.error().message);
    if (scores->size() != read)
      return give_up("it returned " + std::to_string(scores->size()) + " scores for " + std::to_string(read) +
                     " texts");
    if (!std::all_of(scores->begin(), scores->end(), [](float s) { return std::isfinite(s); }))
      return give_up("a score is not a number");
    for (std::size_t i = 0; i < read; ++i) {
      auto& hit = hits[i];
      hit.reranked_from = i + 1;
      hit.rerank_score = (*scores)[i];
      hit.score = hit.recency * hit.importance * hit.proof * hit.origin / (1 + std::exp(-hit.rerank_score));
    }
    auto const end = hits.begin() + static_cast<std::ptrdiff_t>(read);
    std::stable_sort(hits.begin(), end, [](recall_hit const& a, recall_hit const& b) { return a.score > b.score; });
    for (auto unread = end; unread != hits.end(); ++unread) unread->score *= hits[read - 1].score;
  }

  recall_result finish(recall_draft draft) {
    auto out = finish_recall(std::move(draft), q_);
    for (auto& what : degraded_) out.degraded.push_back(std::move(what));
    return out;
  }

 private:
  std::size_t read_of(recall_draft const& draft) const { return std::min(o_.reranked, draft.found.hits.size()); }

  recall_query q_;
  recall_options o_;
  std::vector<std::string> degraded_;
};

}  // namespace

task<result<recall_result>> scope_handle::async_recall(scope_handle scope, recall_query query, recall_options options) {
  if (auto wrong = memory_detail::refuse(query)) co_return *wrong;
  if (auto wrong = refuse(options)) co_return *wrong;
  model_recall work(std::move(query), std::move(options));
  if (work.embeds()) {
    auto const made = co_await work.embedding_of_question();
    if (!made && made.error().is(errc::cancelled)) co_return made.error();
    work.take_embedding(made);
  }
  // The pool may outlive the caller: it has its own handle and query.
  auto search = [state = scope.state_, q = work.search_query()] { return draft_recall(*state, q); };
  auto draft = co_await offload(compute_pool::shared(), std::move(search), "recall");
  if (!draft) co_return std::move(draft).error();
  if (work.reranks() && !draft->found.hits.empty()) {
    auto const scores = co_await work.scores_of(*draft);
    if (!scores && scores.error().is(errc::cancelled)) co_return scores.error();
    work.take_scores(scores, *draft);
  }
  co_return work.finish(std::move(*draft));
}

result<recall_result> scope_handle::recall(recall_query const& query, recall_options const& options) const {
  if (auto wrong = memory_detail::refuse(query)) return *wrong;
  if (auto wrong = refuse(options)) return *wrong;
  constexpr char const *blocking = "scope_handle::recall", *awaited = "scope_handle::async_recall";
  model_recall work(query, options);
  if (work.embeds()) {
    auto const made = run_blocking(work.embedding_of_question(), blocking, awaited);
    if (!made && made.error().is(errc::would_block_loop)) return made.error();
    work.take_embedding(made);
  }
  auto draft = draft_recall(*state_, work.search_query());
  if (!draft) return std::move(draft).error();
  if (work.reranks() && !draft->found.hits.empty()) {
    auto const scores = run_blocking(work.scores_of(*draft), blocking, awaited);
    if (!scores && scores.error().is(errc::would_block_loop)) return scores.error();
    work.take_scores(scores, *draft);
  }
  return work.finish(std::move(*draft));
}

}  // namespace wherry::inline v0
