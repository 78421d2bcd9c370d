// Seeds for the entry that reads what authorisation brings.

#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds() {
  return {
      "",
      R"(Bearer error="invalid_token", resource_metadata="https://h/x", scope="a b", Basic realm="a\"b", Negotiate abc==)",
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
      "eyJhbGciOiJub25lIn0.e30.",
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]})",
      R"({"resource":"https://h/mcp","authorization_servers":["https://as"],"scopes_supported":["a"]})",
      R"({"issuer":"https://as","token_endpoint":"https://as/t","code_challenge_methods_supported":["S256"]})",
      "https://h:8/mcp/a?x#y",
      "grant_type=authorization_code&code=a%20b&x=&=y&+",
      "AQIDBA",
  };
}
