// Against a real server that speaks TLS, with certificates made here.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "redis/test_client.h"
#include "redis/test_server.h"

namespace sosie::redis {
namespace {

using std::chrono::milliseconds;

/// ca, server (127.0.0.1 and localhost), client, and another authority that signed none of them.
class RedisTlsClient : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    char folder[] = "/tmp/sosie-tls-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    std::ofstream(folder_ / "make.sh") << R"sh(set -e
cd "$(dirname "$0")"
request() {
  name=$1; shift
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" -keyout $name.key "$@"
}
authority() { request $1 -x509 -days 2 -out $1.crt; }
signed() {
  request $1 -out $1.csr
  printf '%s\n' "$2" > $1.ext
  openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.crt
}
authority ca; authority other
signed server subjectAltName=IP:127.0.0.1,DNS:localhost
signed client extendedKeyUsage=clientAuth
openssl ec -in client.key -aes256 -passout pass:secret -out encrypted.key
mkdir elsewhere; cp ca.crt elsewhere
signed stranger subjectAltName=DNS:redis.example
cp stranger.crt elsewhere/server.crt; cp stranger.key elsewhere/server.key
)sh";
    const std::string command = "sh " + (folder_ / "make.sh").string() + " > " + (folder_ / "log").string() + " 2>&1";
    can_make_ = std::system(command.c_str()) == 0;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }
  void SetUp() override {
    SOSIE_NEEDS_REDIS();
    if (!can_make_) GTEST_SKIP() << "openssl cannot make certificates here";
  }

  static std::filesystem::path folder_;
  static bool can_make_;
};

std::filesystem::path RedisTlsClient::folder_;
bool RedisTlsClient::can_make_ = false;

TEST_F(RedisTlsClient, ChecksTheCertificateAgainstItsAuthority) {
  TestServer server({.tls_folder = folder_});
  auto options = server.options();
  TestClient client(options);
  const std::string value(500'000, 'v');
  ASSERT_TRUE(client.ask({"SET", "k", value}));
  auto reply = client.ask({"GET", "k"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, value);
  server.restart();
  reply = client.ask({"PING"});
  EXPECT_TRUE(reply) << reply.error().message;

  options.url = "rediss://localhost:" + std::to_string(server.port());
  EXPECT_TRUE(TestClient(options).ask({"PING"}));

  options.tls.ca_file = folder_ / "other.crt";
  auto wrong = TestClient(options).ask({"PING"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::unavailable) << wrong.error().message;
  options.tls.ca_file.clear();
  EXPECT_FALSE(TestClient(options).ask({"PING"})) << "the system knows nothing of this authority";
  options.tls.verify = false;
  EXPECT_TRUE(TestClient(options).ask({"PING"}));

  options.tls.ca_file = folder_ / "none.crt";
  auto missing = TestClient(options).ask({"PING"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::invalid_argument);
}

TEST_F(RedisTlsClient, ChecksTheNameInTheCertificate) {
  TestServer server({.tls_folder = folder_ / "elsewhere"});
  auto options = server.options();
  auto reply = TestClient(options).ask({"PING"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
  options.tls.verify = false;
  EXPECT_TRUE(TestClient(options).ask({"PING"}));
}

TEST_F(RedisTlsClient, ShowsItsOwnCertificate) {
  TestServer server({.tls_folder = folder_, .asks_client_certificate = true});
  auto options = server.options();
  EXPECT_FALSE(TestClient(options).ask({"PING"}));
  options.tls.client_certificate = folder_ / "client.crt";
  options.tls.client_key = folder_ / "client.key";
  auto reply = TestClient(options).ask({"PING"});
  EXPECT_TRUE(reply) << reply.error().message;
  options.tls.client_key = folder_ / "encrypted.key";
  EXPECT_FALSE(TestClient(options).ask({"PING"})) << "nobody is there to type its password";
  options.tls.client_key = folder_ / "server.key";
  auto wrong = TestClient(options).ask({"PING"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument) << wrong.error().message;
}

TEST_F(RedisTlsClient, NoticesThatOneSideSpeaksPlainly) {
  TestServer plain, secret({.tls_folder = folder_});
  auto options = plain.options();
  options.url = "rediss://127.0.0.1:" + std::to_string(plain.port());
  options.connect_timeout = milliseconds(500);
  EXPECT_FALSE(TestClient(options).ask({"PING"}));
  options.url = "redis://127.0.0.1:" + std::to_string(secret.port());
  EXPECT_FALSE(TestClient(options).ask({"PING"}));
}

}  // namespace
}  // namespace sosie::redis
