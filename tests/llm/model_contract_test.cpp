#include "model_contract.hpp"

#include <wherry/llm/scripted_model.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;

TEST_CASE("the scripted model keeps the model contract", "[unit]") {
  auto const broken = check_model_contract(
      []() -> std::shared_ptr<model> { return scripted_model(std::vector<script_line>(24, say("a few words"))); });
  for (auto const& b : broken) UNSCOPED_INFO(b.promise << ": " << b.found);
  CHECK(broken.empty());
}

namespace {

// Lies about everything: a contract that lets this pass checks nothing.
class liar final : public model {
 public:
  liar() { info_.can.parts = capabilities::parts_of({part_kind::text, part_kind::audio, part_kind::file}); }
  model_info const& info() const noexcept override { return info_; }
  result<std::unique_ptr<model_stream>> submit(model_request) override {
    class stream final : public model_stream {
      task<result<model_event>> async_next() override {
        if (at_++ == 0) co_return model_event{text_delta{"one thing"}};
        co_return model_event{response_end{.answer = message::user("another")}};
      }
      void cancel() noexcept override {}
      int at_ = 0;
    };
    return std::make_unique<stream>();
  }

 private:
  model_info info_;
};

}  // namespace

TEST_CASE("the contract finds a model that keeps none of its promises", "[unit]") {
  auto const broken = check_model_contract([] { return std::make_shared<liar>(); });
  CHECK(broken.size() >= 9);
}
