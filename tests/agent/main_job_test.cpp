#include "main_job.hpp"
#include "shared_data.hpp"

#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

namespace {

void run_hundred(std::shared_ptr<model> const& llm) {
  wherry_test::main_job_count count;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) wherry_test::main_job_run(llm, seed, count);
  INFO("finished " << count.finished << ", limit " << count.limited << ", calls " << count.calls
                   << ", first problem: " << count.first_problem);
  CHECK(count.calls > 20);
  CHECK(count.failed_results == 0);
  CHECK(count.invalid_dispatches == 0);
  CHECK(count.other == 0);
  CHECK(count.limited <= 20);
}

}  // namespace

TEST_CASE("main job: a hundred runs on the random model dispatch no invalid call and end in the struct", "[unit]") {
  run_hundred(local_model::from(make_random_model().value(), {.threads = 1}).value());
}

TEST_CASE("main job: a hundred runs on stories260K dispatch no invalid call and end in the struct", "[golden]") {
  auto const path = wherry_test::shared("models/stories260K/stories260Ktok512.gguf");
  run_hundred(
      local_model::open(path, {.threads = 1, .context_tokens = 2'048, .exceed_declared_context = true}).value());
}
