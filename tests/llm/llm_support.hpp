#pragma once

#include <wherry/core/runtime.hpp>
#include <wherry/llm/chat_answer.hpp>
#include <wherry/llm/model.hpp>

#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace wherry_test {

/// The whole answer of a model to one request.
inline wherry::result<wherry::response_end> answer(std::shared_ptr<wherry::model> m, wherry::model_request r) {
  auto stream = m->submit(std::move(r));
  if (!stream) return std::move(stream).error();
  return wherry::run_blocking(wherry::async_collect(std::move(*stream)), "collect", "async_collect");
}

/// A family of answers by its name.
inline wherry::answer_family family(std::string_view name) {
  for (auto const& row : wherry::answer_families())
    if (row.name() == name) return row;
  FAIL("no family " << name);
  return wherry::answer_families().back();
}

}  // namespace wherry_test
