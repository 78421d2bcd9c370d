// Seeds for the entries that read what comes over the network.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  return {
      "",
      "POST /mcp?x=1 HTTP/1.1\r\nHost: localhost:80\r\nContent-Type: application/json\r\nContent-Length: "
      "7\r\n\r\n{\"a\":1}",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;e=f\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: "
      "t\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.1 200 OK\r\n\r\nuntil the end",
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      ": comment\nevent: message\nid: 5\nretry: 100\ndata: {\"jsonrpc\":\"2.0\"}\n\n",
      "data: a\r\ndata: b\r\rid\ndata\n\n\xEF\xBB\xBF"
      "data: \xED\x95\x9C\n\n",
      "http://user@host:80/a/../b;c?d=e&f#g",
      "https://[::ffff:10.0.0.1]:8443/%7Euser/./x?y=%20",
      "../x/./y?z#w",
  };
}
