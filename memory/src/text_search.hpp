#pragma once
// The text arm of recall: BM25 over a scope's postings, with fields, phrases, dates, and neighbours that lend.
//
// Source of the base score: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with
// the never negative inverse document frequency of Lucene, ln(1 + (N - n + 0.5) / (n + 0.5)). A short turn of a
// conversation says little by itself ("Yes, last Saturday!"); so a record takes over a part of the score of the records
// beside it in the same session or document, and of the best one there.

#include "scope_index.hpp"
#include "text_analyser.hpp"

#include <wherry/memory/recall.hpp>

namespace wherry::inline v0::memory_detail {

struct text_hit {
  std::uint32_t number = 0;
  double score = 0;
  double own = 0;  ///< Without what was lent.
};

struct text_found {
  std::vector<text_hit> hits;  ///< Records of the filter with a score, best first; equals by newest first.
  std::size_t candidates = 0;  ///< How many there are; the best of them are above.
  std::vector<std::string> terms;
  std::vector<std::shared_ptr<posting_list const>> lists;  ///< Of the terms.
};

/// What a term is worth that so many of the records hold (the idf of BM25).
double rarity(double records, double with_term);

/// The best `keep` hits. The caller holds the index's mutex, shared.
result<text_found> search_text(store_state const& store, scope_index& index, index_totals const& totals,
                               std::vector<term_at> const& question, record_filter const& filter,
                               text_tuning const& tuning, std::size_t keep);

}  // namespace wherry::inline v0::memory_detail
