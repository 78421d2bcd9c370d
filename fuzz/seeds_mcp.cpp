// Seeds for what a server of the Model Context Protocol reads.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  std::string const meta =
      R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";
  return {
      "",
      R"("a\u00e9\ud83d\ude00\n")",
      R"([1,-0.5e3,{"a":[true,null]}])",
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"roots":{}}}})"
      "\n"
      R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":"x"}}})"
      "\n",
      R"({"jsonrpc":"2.0","id":"a","method":"tools/list","params":{)" + meta + "}}\n",
      R"({"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"test://1%2F2/x",)" + meta + "}}\n",
      R"({"jsonrpc":"2.0","id":4,"method":"prompts/get","params":{"name":"p","arguments":{"a":"b"},)" + meta + "}}\n",
      R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo","requestState":"AAAA","inputResponses":{},)" +
          meta + "}}\n",
      R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})"
      "\n"
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}})"
      "\n",
  };
}
