// wherry memory: what it prints, and how it ends.

#include "process.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/core/json.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/quote.hpp>
#include <wherry/memory/store.hpp>
#include <wherry/memory/transaction.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace wherry_test;

TEST_CASE("what is read in is found, exported, imported, verified and erased") {
  temp_dir folder;
  auto const store = (folder / "store").string(), other = (folder / "other").string();
  auto const manual = (folder / "manual.md").string(), lines = (folder / "records.jsonl").string();
  std::ofstream(manual) << "# Engine\n\nThe engine takes 5W-30 oil.\n\n# Sails\n\nReef early.\n";
  auto const memory = [&](std::vector<std::string> arguments, std::string const& where) {
    arguments.insert(arguments.begin(), "memory");
    arguments.insert(arguments.end(), {"--store", where, "--json"});
    auto const r = wherry_test::wherry(arguments);
    INFO(r.out << r.err);
    auto parsed = wherry::parse_json(r.out.empty() ? "null" : r.out.substr(0, r.out.find('\n')));
    REQUIRE(parsed);
    return std::pair(r.code, *parsed);
  };

  CHECK(memory({"ingest", manual}, store).second[0]["chunks"] == 2);
  auto const [code, found] = memory({"search", "which oil for the engine?"}, store);
  CHECK(code == 0);
  REQUIRE_FALSE(found.empty());
  CHECK(found[0]["title"] == "Engine");
  CHECK(found[0]["why"].get<std::string>().starts_with("text 1 ("));
  auto const id = found[0]["id"].get<std::string>();
  CHECK(memory({"show", id}, store).second["text"] == found[0]["text"]);
  CHECK(memory({"stats"}, store).second["records"] == 2);

  CHECK(memory({"export", "--output", lines}, store).first == 0);
  CHECK(memory({"import", lines}, other).second["records"] == 2);
  CHECK(memory({"show", id}, other).second == memory({"show", id}, store).second);
  CHECK(memory({"verify"}, other).second["problems"].empty());

  CHECK(memory({"erase"}, other).first == 1);
  CHECK(memory({"erase", "--record", id}, other).second["records"] == 1);
  CHECK(memory({"erase", "--document", manual}, other).second["records"] == 1);
  CHECK(memory({"show", id}, other).first == 1);
  CHECK(memory({"stats"}, other).second["records"] == 0);
}

TEST_CASE("what cannot be imported or shown says why") {
  temp_dir folder;
  auto const store = (folder / "store").string(), lines = (folder / "lines").string();
  std::ofstream(lines) << "{\"text\":\"fine\"}\n{\"text\":1}\n";
  auto const bad = wherry_test::wherry({"memory", "import", lines, "--store", store});
  CHECK(bad.code == 1);
  CHECK(bad.err.find("line 2") != std::string::npos);
  CHECK(wherry_test::wherry({"memory", "import", (folder / "none").string(), "--store", store}).code == 1);
  CHECK(wherry_test::wherry({"memory", "search", "x", "--store", (folder / "none").string()}).code == 1);
  CHECK(wherry_test::wherry({"memory"}).code == 2);
}

TEST_CASE("export and import bring all of a scope to another, twice without a change") {
  temp_dir folder;
  auto const from = (folder / "from").string(), to = (folder / "to").string();
  auto const one = (folder / "one.jsonl").string(), two = (folder / "two.jsonl").string();
  {
    wherry::store const db{from};
    auto const scope = db.scope({.tenant = "local", .user = "default"});
    auto const session = scope.session("trip \"to\" 서울");
    wherry::transaction tx{scope};
    wherry::message const said = wherry::message::user("I live in 부산.\n\tReally: 1e400 \x01 🚤");
    tx.append(session, 0,
              {wherry::message_event(wherry::event_type::user_message, wherry::ulid::fresh(), said),
               {.type = wherry::event_type::note, .payload = "{ \"a\" : 1.50, \"b\":\t[] }"}});
    auto const old = tx.put({.kind = "fact",
                             .text = "The user lives in Seoul.\n",
                             .created = 5,
                             .title = "user",
                             .subject = "user",
                             .attribute = "home",
                             .origin = wherry::record_origin::tool,
                             .importance = 0.3F,
                             .proofs = 7,
                             .valid_from = 3,
                             .valid_to = 9,
                             .expires = 99'999'999'999'999,
                             .superseded_at = 8,
                             .tags = {{"a", "1"}, {"a", "2"}, {"b", ""}}});
    auto const busan =
        tx.put({.kind = "my own",
                .text = "The user lives in Busan.",
                .source = {.session = session.name(), .first_seq = 1, .last_seq = 1, .begin = 0, .end = 17}});
    tx.embed(busan, {"embedder one", {0.3F, -0.1F, 0.7F}}).embed(old, {"embedder two", {1, 2}});
    tx.put_item("notes", "k", "{\"x\": [1, 2.0, \"é\"]}");
    tx.put_item("notes", "l", "null", {.expires = 99'999'999'999'999});
    for (int i = 0; i < 1200; ++i) tx.put_item("many", std::to_string(i), std::to_string(i));
    tx.put_item("", "empty space", "1");
    tx.commit().value();
    CHECK(scope.item_spaces().value() == std::vector<std::string>{"", "many", "notes"});
    REQUIRE(scope.record(old).value());
  }
  auto const run = [](std::vector<std::string> arguments) {
    auto const r = wherry_test::wherry(std::move(arguments));
    INFO(r.out << r.err);
    CHECK(r.code == 0);
    return r.out;
  };
  run({"memory", "export", "-o", one, "--store", from});
  CHECK(run({"memory", "import", one, "--store", to, "--json"}) ==
        "{\"records\":2,\"vectors\":2,\"items\":1203,\"events\":2,\"known_events\":0}\n");
  CHECK(run({"memory", "import", one, "--store", to, "--json"}) ==
        "{\"records\":2,\"vectors\":2,\"items\":1203,\"events\":0,\"known_events\":2}\n");
  run({"memory", "export", "-o", two, "--store", to});
  CHECK(read_file(one) == read_file(two));
  CHECK(run({"memory", "verify", "--store", to}).find("all is well") != std::string::npos);
  {
    wherry::store const a{from}, b{to};
    auto const here = a.scope({.tenant = "local", .user = "default"}),
               there = b.scope({.tenant = "local", .user = "default"});
    CHECK(here.records().value() == there.records().value());
    for (auto const& r : here.records().value()) {
      auto const left = here.embeddings(r.id).value(), came = there.embeddings(r.id).value();
      REQUIRE(left.size() == came.size());
      for (std::size_t i = 0; i < left.size(); ++i) {
        CHECK(left[i].fingerprint == came[i].fingerprint);
        CHECK(left[i].values == came[i].values);
      }
    }
    CHECK(there.recall({.vectors = {{"embedder one", {0.3F, -0.1F, 0.7F}}}}).value().hits.size() == 1);
    CHECK(there.records_without_vector("embedder three").value().size() == 2);
    auto const name = here.sessions().value().at(0).name;
    CHECK(here.session(name).events().value() == there.session(name).events().value());
    for (auto const& r : there.records().value())
      if (r.source.end) CHECK(wherry::quote_of(there, r).value() == "I live in 부산.");
    CHECK(there.recall({.text = "where does the user live"}).value().hits.at(0).record.text ==
          "The user lives in Busan.");
  }
  run({"memory", "export", "--without-vectors", "-o", two, "--store", from});
  CHECK(read_file(two).find("{\"vector\"") == std::string::npos);
  auto text = read_file(one);
  text.replace(text.find("1.50"), 4, "1.51");
  std::ofstream(two) << text;
  auto const other = wherry_test::wherry({"memory", "import", two, "--store", to});
  CHECK(other.code == 1);
  CHECK(other.err.find("says something else at event 2") != std::string::npos);
  for (auto const* line :
       {"[]", "{\"event\":{}}", "{\"vector\":{\"record\":\"no id\",\"fingerprint\":\"m\",\"f32\":\"AAAAAA==\"}}",
        "{\"vector\":{\"record\":\"00000000000000000000000001\",\"fingerprint\":\"m\",\"f32\":\"AAAA\"}}",
        "{\"item\":{\"space\":\"a\"}}", "{\"item\":1}",
        "{\"event\":{\"session\":\"new\",\"seq\":2,\"time\":1,\"type\":\"note\",\"run\":\"00000000000000000000000000\","
        "\"payload\":\"{}\"}}"}) {
    std::ofstream(two) << line << '\n';
    auto const bad = wherry_test::wherry({"memory", "import", two, "--store", to});
    INFO(line);
    CHECK(bad.code == 1);
    CHECK(bad.err.find("line 1: ") != std::string::npos);
  }
}

TEST_CASE("pages of the web and PDF are read in; what cannot be read is told, the rest goes on") {
  temp_dir folder;
  auto const store = (folder / "store").string();
  auto const page = (folder / "page.html").string(), pdf = (folder / "-q.PDF").string();
  std::ofstream(page) << "<html><script>x()</script><h1>Engine</h1><p>It takes 5W-30&nbsp;oil.</p></html>";
  std::ofstream(pdf) << "%PDF-1.4 pretended";
  std::filesystem::create_directory(folder / "bin");
  auto const program = (folder / "bin").string() + "/pdftotext";
  auto const ingest = [&](std::vector<std::string> files, std::string const& path) {
    files.insert(files.begin(), {"memory", "ingest", "--store", store});
    return wherry_test::wherry(files, "", {{"PATH", path}});
  };

  auto const none = ingest({pdf, page}, "/nowhere");
  CHECK(none.code == 1);
  CHECK(none.err.find("install poppler-utils") != std::string::npos);
  CHECK(none.out.find("[2/2] " + page + ": 1 chunk\n") != std::string::npos);

  std::ofstream(program) << "#!/bin/sh\nprintf 'Reef early.\\n\\f\\f%s\\n\\f' \"$4\"\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  auto const path = (folder / "bin").string() + ":/usr/bin:/bin";
  auto const read = ingest({pdf}, path);
  INFO(read.err);
  CHECK(read.code == 0);
  CHECK(read.out.find("2 chunks") != std::string::npos);
  auto const found = wherry_test::wherry({"memory", "search", "reef oil", "--json", "--store", store});
  auto const hits = wherry::parse_json(found.out).value();
  std::vector<std::string> titles;
  for (auto const& hit : hits) titles.push_back(hit["title"].get<std::string>());
  std::ranges::sort(titles);
  CHECK(titles == std::vector<std::string>{"Engine", "Page 1", "Page 3"});  // a page lends to its neighbour
  auto const third = wherry_test::wherry({"memory", "search", "q.PDF", "--json", "--store", store});
  CHECK(third.out.find("Page 3") != std::string::npos);  // the second page was empty, the path was not an option
  CHECK(third.out.find(folder.path().string() + "/-q.PDF") != std::string::npos);

  std::ofstream(program) << "#!/bin/sh\necho broken >&2; exit 3\n";
  auto const broken = ingest({pdf}, path);
  CHECK(broken.code == 1);
  CHECK(broken.err.find("broken") != std::string::npos);
  std::ofstream(program) << "#!/bin/sh\nprintf '\\f'\n";
  CHECK(ingest({pdf}, path).err.find("only pictures") != std::string::npos);
  CHECK(ingest({folder.path().string()}, path).err.find("a directory") != std::string::npos);
  std::ofstream(page) << "caf\xe9";
  CHECK(ingest({page}, path).err.find("not UTF-8") != std::string::npos);
}

TEST_CASE("chat --memory recalls and learns; memory learn does what was left") {
  temp_dir folder;
  auto const store = (folder / "store").string();
  std::vector<std::string> const line{"chat", "--memory", "--store", store, "--max-tokens", "8", "--seed", "5"};
  auto const first = wherry_test::wherry(line, "I live in Busan. My boat is Wal.\n/quit\n");
  INFO(first.err);
  CHECK(first.code == 0);
  auto with_events = line;
  with_events.push_back("--events");
  auto const second = wherry_test::wherry(with_events, "Where do I live?\n/memory\n/quit\n");
  INFO(second.out << second.err);
  CHECK(second.out.find("\"type\":\"context_gathered\"") != std::string::npos);
  CHECK(second.out.find("I live in Busan.") != std::string::npos);
  CHECK(second.err.find("2 records") != std::string::npos);
  CHECK(wherry_test::wherry({"chat", "--store", store}, "/memory\n/quit\n").err.find("start with --memory") !=
        std::string::npos);

  {
    wherry::store const db{store};
    auto const scope = db.scope({.tenant = "local", .user = "default"});
    wherry::scripted_model const fake{wherry::say("ok")};
    REQUIRE(wherry::agent{fake}.learns().run("I like tea. Do you?", scope.session("later")));
  }
  auto const learnt = wherry_test::wherry({"memory", "learn", "--store", store, "--json"});
  INFO(learnt.out << learnt.err);
  auto const jobs = wherry::parse_json(learnt.out).value();
  REQUIRE(jobs.size() == 1);
  CHECK(jobs[0]["by"] == "rules");
  CHECK(jobs[0]["facts"][0]["outcome"] == "created");
  CHECK(wherry_test::wherry({"memory", "learn", "--store", store}).err.find("Nothing waits") != std::string::npos);
}
