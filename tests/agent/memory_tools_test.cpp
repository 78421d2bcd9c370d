#include <wherry/agent/agent.hpp>
#include <wherry/agent/memory_tools.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/llm/embedder.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/store.hpp>
#include <wherry/memory/transaction.hpp>

#include "temp_dir.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry_test;

namespace {

/// Likes numbers; does its work on the shared pool, as models of this process do.
class pooled_reranker final : public reranker {
 public:
  encoder_info const& info() const noexcept override { return info_; }
  task<result<std::vector<float>>> async_score(std::string, std::vector<std::string> texts,
                                               encode_text_options) override {
    auto work = [texts = std::move(texts)] {
      std::vector<float> out;
      for (auto const& text : texts) out.push_back(text.find('5') != std::string::npos ? 1.F : -1.F);
      return out;
    };
    co_return co_await offload(compute_pool::shared(), std::move(work), "score");
  }

 private:
  encoder_info info_{.name = "pooled", .fingerprint = "pooled"};
};

struct friends {
  temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "7"});

  agent with_tools(std::vector<script_line> script, memory_tool_options options = {}) const {
    agent out{scripted_model{std::move(script)}, "Remember."};
    for (auto& t : memory_tools(scope, options)) out = out.with(std::move(t));
    return out;
  }
  std::string last_result(std::string const& tool, std::string const& arguments,
                          memory_tool_options options = {}) const {
    auto const r = with_tools({call(tool, arguments), say("ok")}, options).run("go");
    REQUIRE(r);
    for (auto const& m : r->transcript)
      for (auto const& part : m.parts)
        if (auto const* found = std::get_if<tool_result>(&part)) return found->content;
    return "";
  }
};

}  // namespace

TEST_CASE_METHOD(friends, "an agent remembers, recalls and is told what became of it") {
  auto const seoul = R"({"fact":"The user lives in Seoul.","subject":"user","attribute":"home city"})";
  auto const busan = R"({"fact":"The user lives in Busan.","subject":"user","attribute":"home city"})";
  CHECK(last_result("remember", seoul) == "remembered");
  CHECK(last_result("remember", seoul) == "known already");
  CHECK(last_result("remember", busan) == "remembered; an earlier fact is ended");
  auto const found = last_result("recall", R"({"question":"where does the user live"})");
  CHECK(found.find("Busan") != std::string::npos);
  CHECK(found.find("Seoul") == std::string::npos);
  CHECK(last_result("recall", R"({"question":"favourite opera"})") == "nothing was found");
  for (auto const& r : scope.records().value()) CHECK(r.origin == record_origin::agent);
}

TEST_CASE_METHOD(friends, "a re-ranker takes part in the recall tool, also when many calls want the pool it works on") {
  for (auto const* text : {"oil, oil and oil", "the oil is 5W-30"}) {
    transaction tx{scope};
    tx.put({.kind = "fact", .text = text});
    tx.commit().value();
  }
  memory_tool_options options{.recall_limit = 1};
  CHECK(last_result("recall", R"({"question":"oil"})", options).find("oil, oil") != std::string::npos);
  options.recall_models.reranker = std::make_shared<pooled_reranker>();
  options.recall_models.model_time = std::chrono::seconds(20);  // far more than the work takes
  std::vector<std::pair<std::string, std::string>> const many(12, {"recall", R"({"question":"oil"})"});
  auto const r = with_tools({calls(many), say("ok")}, options).run("go");
  REQUIRE(r);
  std::size_t read = 0;
  for (auto const& m : r->transcript)
    for (auto const& part : m.parts)
      if (auto const* found = std::get_if<tool_result>(&part))
        read += found->content.find("5W-30") != std::string::npos;
  CHECK(read == many.size());
}

TEST_CASE_METHOD(friends, "an agent forgets only when it may") {
  last_result("remember", R"({"fact":"The user likes tea."})");
  auto const id = scope.records().value().at(0).id.text();
  auto const tools = memory_tools(scope);
  CHECK(tools.size() == 2);
  CHECK(last_result("forget", "{\"id\":\"" + id + "\"}", {.may_forget = true}) == "forgotten");
  CHECK(scope.records().value().empty());
  CHECK(last_result("forget", R"({"id":"nonsense"})", {.may_forget = true}).find("no id") != std::string::npos);
}

TEST_CASE_METHOD(friends, "an agent keeps files; what it cannot do with them it is told") {
  auto const answer = [&](std::string const& arguments) {
    auto const desk =
        agent{scripted_model{call("memory", arguments), say("ok")}}.with(memory_file_tool(memory_files{scope}));
    auto const r = desk.run("go", scope.session("s"));
    REQUIRE(r);
    return std::get<tool_result>(r->transcript.at(r->first_new + 2).parts.at(0));
  };
  CHECK(answer(R"({"command":"create","path":"/memories/a.md","file_text":"tea\n"})").content ==
        "created /memories/a.md");
  CHECK(answer(R"({"command":"view","path":"/memories/a.md"})").content == "     1\ttea\n");
  auto const wrong = answer(R"({"command":"view","path":"/memories/../etc/passwd"})");
  CHECK(wrong.failed);
  CHECK(wrong.content.find("\"..\"") != std::string::npos);
  CHECK(memory_file_tool(memory_files{scope}).spec().input_schema.text.find(R"("enum":["view","create")") !=
        std::string::npos);
  CHECK(memory_file_tool(memory_files{scope}).is_recall());
}
