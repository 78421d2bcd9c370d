#include <wherry/core/json.hpp>
#include <wherry/mcp/jwt.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry::mcp;
using namespace std::chrono_literals;

namespace {

constexpr utc_ms now = 1'800'000'000'000;

std::string rsa_pem() {
  static std::string const pem = [] {
    auto* const key = EVP_RSA_gen(2048);
    auto* const out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    EVP_PKEY_free(key);
    return text;
  }();
  return pem;
}

signing_key key_for(jwt_algorithm a) {
  bool const rsa = to_string(a).starts_with("RS") || to_string(a).starts_with("PS");
  return rsa ? signing_key::from_pem(rsa_pem(), a).value() : signing_key::generate(a).value();
}

jwk_set keys_of(signing_key const& key, std::string const& id = "k1") {
  auto jwk = parse_json(key.public_jwk().text).value();
  jwk["kid"] = id;
  return jwk_set::parse(to_text(json{{"keys", json::array({jwk})}})).value();
}

raw_json claims(std::string const& more = {}) {
  return {R"({"iss":"https://as","aud":["x","https://rs/mcp"],"sub":"u","exp":1800000600)" + more + "}"};
}

jwt_expectations const expected{.issuers = {"https://as"}, .audiences = {"https://rs/mcp"}};

std::string signed_by(signing_key const& key, raw_json const& c = claims(),
                      std::string const& header = R"({"kid":"k1"})") {
  return key.sign({header}, c).value();
}

}  // namespace

TEST_CASE("every algorithm signs what it then accepts, and nothing changed", "[unit]") {
  for (auto const a :
       {jwt_algorithm::rs256, jwt_algorithm::rs384, jwt_algorithm::rs512, jwt_algorithm::ps256, jwt_algorithm::ps512,
        jwt_algorithm::es256, jwt_algorithm::es384, jwt_algorithm::es512, jwt_algorithm::eddsa}) {
    INFO(to_string(a));
    auto const key = key_for(a);
    auto const token = signed_by(key);
    auto const seen = verify_jwt(token, keys_of(key), expected, now);
    REQUIRE(seen);
    CHECK(seen->claims.text == claims().text);
    CHECK(seen->key_id == "k1");
    auto changed = token;
    auto& c = changed[token.find('.') + 5];
    c = c == 'A' ? 'B' : 'A';
    CHECK_FALSE(verify_jwt(changed, keys_of(key), expected, now));
    auto forged = token;
    auto& s = forged[token.rfind('.') + 7];
    s = s == 'A' ? 'B' : 'A';
    CHECK(verify_jwt(forged, keys_of(key), expected, now).error().is(errc::denied));
    CHECK(signing_key::from_pem(key.to_pem(), a).value().thumbprint() == key.thumbprint());
  }
}

TEST_CASE("published tokens are verified", "[golden]") {
  // RFC 7515, A.2 (RS256) and A.3 (ES256); RFC 8037, A.4 (Ed25519).
  jwt_expectations const any{.expiry_required = false};
  auto const rs = jwk_set::parse(
      R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})");
  REQUIRE(rs);
  CHECK(verify_jwt(
      "eyJhbGciOiJSUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
      "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
      *rs, any, 1'300'819'000'000));
  auto const es = jwk_set::parse(
      R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
  REQUIRE(es);
  std::string const es_token =
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  CHECK(verify_jwt(es_token, *es, any, 1'300'819'000'000));
  CHECK(verify_jwt(es_token, *es, any, 1'300'819'500'000).error().message.find("exp") != std::string::npos);
  // RFC 7638, 3.1; RFC 8037, A.3.
  auto const thumbprint = [](char const* pem, jwt_algorithm a) {
    return signing_key::from_pem(pem, a).value().thumbprint();
  };
  // The private key of RFC 8037, A.1, as PKCS#8.
  CHECK(thumbprint(
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END "
            "PRIVATE KEY-----\n",
            jwt_algorithm::eddsa) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST_CASE("a token that is not for us, not now or not by us is denied with the claim's name", "[unit]") {
  auto const key = key_for(jwt_algorithm::es256);
  auto const keys = keys_of(key);
  auto const why = [&](std::string const& c, std::string const& header = R"({"kid":"k1"})") {
    auto const r = verify_jwt(signed_by(key, {c}, header), keys, expected, now);
    return r ? std::string("accepted") : r.error().message;
  };
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp","exp":1800000600})") == "accepted");
  CHECK(why(R"({"iss":"https://as/","aud":"https://rs/mcp","exp":1800000600})").find("(iss)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp/","exp":1800000600})").find("(aud)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":[{"x":1}],"exp":1800000600})").find("(aud)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","exp":1800000600})").find("(aud)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp"})").find("(exp)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp","exp":1799999900})").find("(exp)") != std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp","exp":1799999970})") == "accepted");  // within the skew
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp","exp":"1800000600"})").find("no number") !=
        std::string::npos);
  CHECK(why(R"({"iss":"https://as","aud":"https://rs/mcp","exp":1800000600,"nbf":1800000100})").find("(nbf)") !=
        std::string::npos);
  CHECK(why(claims().text, R"({"kid":"k1","crit":["b64"]})").find("(crit)") != std::string::npos);
  CHECK(verify_jwt(signed_by(key, claims(), R"({"kid":"k2"})"), keys, expected, now).error().is(errc::not_found));
  CHECK(verify_jwt(signed_by(key, claims(), "{}"), keys, expected, now));
  auto typed = expected;
  typed.types = {"at+jwt"};
  CHECK(verify_jwt(signed_by(key, claims(), R"({"kid":"k1","typ":"AT+JWT"})"), keys, typed, now));
  CHECK_FALSE(verify_jwt(signed_by(key), keys, typed, now));
}

TEST_CASE("the old attacks do not work", "[unit]") {
  auto const key = key_for(jwt_algorithm::rs256);
  auto const keys = keys_of(key);
  auto const token = signed_by(key);
  auto const rest = token.substr(token.find('.'));
  auto const b64 = [](std::string_view) { return std::string("eyJhbGciOiJub25lIn0"); };  // {"alg":"none"}
  CHECK(verify_jwt(b64("none") + rest, keys, expected, now).error().is(errc::denied));
  CHECK(verify_jwt(b64("none") + token.substr(token.find('.'), token.rfind('.') - token.find('.')) + ".", keys,
                   expected, now)
            .error()
            .is(errc::denied));
  // HS256 with the public key as secret: the algorithm does not exist.
  CHECK(verify_jwt("eyJhbGciOiJIUzI1NiJ9" + rest, keys, expected, now).error().is(errc::denied));
  // A key of one kind with the algorithm of another.
  auto const ec = key_for(jwt_algorithm::es256);
  CHECK(verify_jwt(signed_by(ec), keys, expected, now).error().is(errc::not_found));
  // A signature of zeros (CVE-2022-21449), and one in DER.
  auto const ec_token = signed_by(ec);
  CHECK_FALSE(
      verify_jwt(ec_token.substr(0, ec_token.rfind('.') + 1) + std::string(86, 'A'), keys_of(ec), expected, now));
  // An algorithm the key's owner did not allow.
  auto jwk = parse_json(key.public_jwk().text).value();
  jwk["alg"] = "PS256";
  CHECK(verify_jwt(token, jwk_set::parse(to_text(jwk)).value(), {.issuers = {}, .audiences = {}}, now)
            .error()
            .is(errc::not_found));
  for (auto const* bad : {"", ".", "..", "a.b", "a.b.c.d", "W10.e30.x", "!.e30.x", "e30=.e30.x"})
    CHECK_FALSE(decode_jwt(bad));
  CHECK_FALSE(decode_jwt(std::string(token_bytes_max + 1, 'a')));
}

TEST_CASE("keys that sign nothing, are weak or broken are left out of a set", "[unit]") {
  auto const good = key_for(jwt_algorithm::es256).public_jwk().text;
  auto const set =
      jwk_set::parse(R"({"keys":[)" + good + R"(,{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},
    {"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"},
    {"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"X25519","x":"AA"},{"kty":7},5,{"kty":"EC","use":"enc"},
    {"kty":"EC","crv":5}]})");
  REQUIRE(set);
  CHECK(set->size() == 1);
  CHECK_FALSE(jwk_set::parse("[]"));
  CHECK_FALSE(jwk_set::parse(R"({"keys":5})"));
  CHECK_FALSE(jwk_set::parse("{}"));
}

TEST_CASE("a proof of possession is for one request, one token and one moment", "[unit]") {
  auto const key = key_for(jwt_algorithm::es256);
  dpop_proof const request{
      .method = "POST", .url = "https://rs.example:443/mcp?x#y", .access_token = "t", .nonce = "n"};
  auto const proof = sign_dpop(key, request, now).value();
  auto const again = sign_dpop(key, request, now).value();
  CHECK(proof != again);
  auto const seen = verify_dpop(proof, request, now + 5000);
  REQUIRE(seen);
  CHECK(seen->thumbprint == key.thumbprint());
  CHECK(seen->nonce == "n");
  CHECK(seen->id != verify_dpop(again, request, now)->id);
  auto const why = [&](dpop_proof r, utc_ms at = now) { return verify_dpop(proof, r, at).error().message; };
  auto other = request;
  other.method = "GET";
  CHECK(why(other).find("(htm)") != std::string::npos);
  other = request;
  other.url = "https://rs.example/other";
  CHECK(why(other).find("(htu)") != std::string::npos);
  other = request;
  other.access_token = "u";
  CHECK(why(other).find("(ath)") != std::string::npos);
  CHECK(why(request, now + 301'000).find("(iat)") != std::string::npos);
  CHECK_FALSE(verify_dpop(signed_by(key), request, now));
  auto const leaky =
      key.sign({R"({"typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}})"}, {"{}"}).value();
  CHECK(verify_dpop(leaky, request, now).error().message.find("private key") != std::string::npos);
}
