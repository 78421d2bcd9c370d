#pragma once
// recall: finding records of a scope. Several arms look for them, each in its own way; what they find is fused, weighed
// by what is known of each record, and returned with the reasons.

#include <wherry/memory/record.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// Most records one recall returns.
inline constexpr std::size_t recall_limit_max = 1000;
/// How many hits of an arm take part in the fusion of several.
inline constexpr std::size_t recall_arm_hits_max = 200;
/// Largest weight of an arm; the smallest is 0.
inline constexpr double recall_weight_max = 100;
/// Longest question, in bytes.
inline constexpr std::size_t recall_text_bytes_max = std::size_t{64} << 10;

/// How much the length of a text counts in BM25 (Robertson and Zaragoza, 2009): k1 bounds what repetition is worth, b
/// says how far longer texts are held back.
struct text_profile {
  double k1 = 0;
  double b = 0;
  friend bool operator==(text_profile const&, text_profile const&) = default;
};

/// The knobs of the text arm, as chosen on two conversations of LoCoMo; docs/memory.md tells what each is worth.
struct text_tuning {
  text_profile short_texts{0.9, 0.4};  ///< Facts, preferences, procedures, episodes and kinds of your own.
  text_profile long_texts{1.2, 0.75};  ///< Documents, messages, summaries.
  double title_weight = 2.0;           ///< A word in the title counts as so many in the text.
  double phrase_weight = 0.4;          ///< Two words of the question that stand side by side in a text.
  double neighbour_weight = 0.4;       ///< What a neighbour of the same source lends, divided by its distance.
  std::size_t neighbour_reach = 2;     ///< How far away neighbours lend.
  double thread_weight = 0.2;          ///< What the best record of the same source lends.
};

/// Bounds of what is known of a record beside its words: each factor lies within 1 - weight/2 and 1 + weight/2.
struct recall_boosts {
  /// The newest of the hits against the oldest. Small: on questions about the past it costs more than it wins, so by
  /// default it decides near ties. What a fact says newly is told by superseding, not by age.
  double recency = 0.02;
  double importance = 0.1;  ///< record::importance.
  double proof = 0.05;      ///< record::proofs, on a scale of doublings up to 16.
  /// What a model's own words (record_origin::agent and recalled) count less than those of others: they repeat at
  /// length what was asked. The factor is 1 - this.
  double own_words = 0.1;
};

class embedder;
class reranker;

/// Most hits a re-ranker reads in one recall.
inline constexpr std::size_t reranked_max = 200;

/// Models that take part in a recall. What they cannot do in time the recall does without, and says so in
/// recall_result::degraded: it fails for what a recall without them fails for.
struct recall_options {
  /// Embeds the question, for records with vectors of the same fingerprint (transaction::embed). Not asked when the
  /// query brings such a vector itself, has no text, or gives vectors no weight.
  std::shared_ptr<wherry::v0::embedder> embedder = {};
  /// Reads the best hits together with the question and orders them anew: by the probability that its score stands for,
  /// 1 / (1 + exp(-score)), times the factors of recall_boosts. Hits it has not read come after them.
  std::shared_ptr<wherry::v0::reranker> reranker = {};
  std::size_t reranked = 20;                   ///< How many of the best it reads; at most reranked_max.
  std::size_t reranked_text_bytes_max = 4096;  ///< Of each it reads so much: title and text.
  std::chrono::milliseconds model_time = std::chrono::seconds(2);  ///< Each of the two has so long.
};

/// True when records of the kind are long texts: "document", "message", "summary".
bool is_long_kind(std::string_view kind) noexcept;

/// A text as an embedder sees it.
struct embedding {
  std::string fingerprint = {};    ///< encoder_info::fingerprint of the embedder: only vectors of one meet.
  std::vector<float> values = {};  ///< Of any length above zero; it is kept as a unit vector.
};
/// Most dimensions of a vector, and most embedders whose vectors one scope keeps.
inline constexpr std::size_t vector_dimensions_max = 8192;
inline constexpr std::size_t vector_generations_max = 16;

/// How much a hit of each arm counts where several are fused. 0: the arm is not asked.
struct recall_weights {
  double text = 1;
  double vector = 1;
  /// Records that hold what the question names: people, places, identifiers, addresses, quantities, quotations, dates.
  /// Off: on the data sets of docs/memory.md it finds nothing that the text arm lacks.
  double entity = 0;
};

/// What to look for. Text, vectors or both.
struct recall_query {
  std::string text = {};                ///< The question as it was asked.
  std::vector<embedding> vectors = {};  ///< Its embeddings, one arm each; two while a scope changes its embedder.
  std::size_t limit = 10;               ///< At most recall_limit_max.
  std::vector<std::string> kinds = {};  ///< Only these; empty: all.
  std::vector<record_tag> tags = {};    ///< Only records with all of these.
  utc_ms as_of = 0;                     ///< What held at that time; 0: what holds now.
  utc_ms known_at = 0;                  ///< What the store knew at that time; 0: what it knows now.
  std::size_t text_bytes_max = 0;  ///< Not 0: the hits with the best evidence per byte that fit into so many bytes.
  text_tuning text_options = {};
  recall_boosts boosts = {};
  /// Of the found records that speak of the same matter the newer comes first: said by the same (kind, title, subject,
  /// and no model's words), holding at least half of what made the older one a hit. Changes the order of what is
  /// returned, never what is returned.
  bool newest_first = true;
  recall_weights weights = {};
};

/// How one arm saw a hit.
struct recall_arm {
  std::string name = {};  ///< "text", "vector", "entity".
  std::size_t rank = 0;   ///< 1 is the first. Equals of the entity arm share the rank in their middle.
  double score = 0;       ///< In the arm's own measure: BM25, cosine, the rarity of what it holds.
  friend bool operator==(recall_arm const&, recall_arm const&) = default;
};

/// One found record and why it was found.
struct recall_hit {
  wherry::v0::record record = {};
  double score = 0;                     ///< Fused and weighed; only comparable within one result.
  std::vector<recall_arm> arms = {};    ///< The arms that found it.
  std::vector<std::string> words = {};  ///< Terms of the question that stand in it.
  double lent = 0;                      ///< Share of the text score that its neighbours and its source lent it, 0 to 1.
  double recency = 1;                   ///< The factors of recall_boosts.
  double importance = 1;
  double proof = 1;
  double origin = 1;
  ulid ahead_of = {};                      ///< Not zero: it was put before this older record on the same matter.
  std::size_t reranked_from = 0;           ///< Not 0: the place the arms gave it, from 1, before a re-ranker read it.
  double rerank_score = 0;                 ///< What the re-ranker said, in its own measure.
  std::vector<std::string> entities = {};  ///< What the question names and it holds, where the entity arm was asked.
};

/// The same in one line: "text 3 (7.12: caroline support group; 40 % lent), recency x1.03".
std::string explain(recall_hit const& hit);

struct recall_result {
  std::vector<recall_hit> hits = {};       ///< Best first.
  std::size_t candidates = 0;              ///< Records that any arm found.
  std::vector<std::string> degraded = {};  ///< What could not take part, and why; empty when everything did.
};

}  // namespace wherry::inline v0
