#pragma once
// Analysers of a store's language, lent to one thread at a time.

#include "text_analyser.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace wherry::inline v0::memory_detail {

class analyser_pool {
 public:
  class lease {
   public:
    lease(analyser_pool& pool, std::unique_ptr<text_analyser> lent) : pool_(&pool), lent_(std::move(lent)) {}
    lease(lease&&) noexcept = default;
    lease& operator=(lease&&) = delete;
    ~lease() {
      if (lent_) pool_->give_back(std::move(lent_));
    }
    text_analyser const* operator->() const { return lent_.get(); }
    text_analyser const& operator*() const { return *lent_; }

   private:
    analyser_pool* pool_;
    std::unique_ptr<text_analyser> lent_;
  };

  /// Fails with: errc::unsupported when the language has no stemmer.
  result<void> use_language(std::string language) {
    language_ = std::move(language);
    auto first = text_analyser::create(language_);
    if (!first) return first.error();
    give_back(std::make_unique<text_analyser>(std::move(*first)));
    return {};
  }

  lease borrow() {
    {
      std::lock_guard const lock(mutex_);
      if (!free_.empty()) {
        auto out = std::move(free_.back());
        free_.pop_back();
        return {*this, std::move(out)};
      }
    }
    return {*this, std::make_unique<text_analyser>(text_analyser::create(language_).value())};
  }

 private:
  void give_back(std::unique_ptr<text_analyser> analyser) {
    std::lock_guard const lock(mutex_);
    free_.push_back(std::move(analyser));
  }

  std::string language_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<text_analyser>> free_;
};

}  // namespace wherry::inline v0::memory_detail
