// What one reading of a configuration finds: every mistake, none of them twice, and what will
// surprise.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "edge/config_check.h"
#include "tests/unit/edge/config_fixture.h"

namespace perigee::edge {
namespace {

using Lines = std::vector<std::string>;

class ConfigProblems : public ConfigTest {
 protected:
  /// Each sentence behind the file's name.
  Lines problems(const std::string& toml) {
    const std::string path = folder_.write("perigee.toml", toml);
    const ReadConfig read = read_config_file(path);
    Lines all;
    for (const Problem& problem : read.problems.all()) {
      const std::string sentence = problem.sentence();
      EXPECT_TRUE(sentence.starts_with(path + ":")) << sentence;
      all.push_back(sentence.substr(std::min(path.size() + 1, sentence.size())));
    }
    return all;
  }
  Lines problems_in_site(const std::string& lines) {
    return problems("[[site]]\ndefault = true\norigin = \"dir:public\"\n" + lines);
  }
};

TEST_F(ConfigProblems, EveryMistakeIsToldInTheOrderOfTheFile) {
  EXPECT_EQ(
      problems(R"(nonsense = 1
[server]
listen = ["here", ":80", 3]
workers = 1000
idle_timeout = "0s"
request_line_limit = "1MiB"
[log]
level = "loud"
[[site]]
hosts = ["a/b", "a.test", "A.test"]
origin = "ftp://x"
ttl = 3
stale_if_error = "1500ms"
purge_from = ["x", "::1"]
forbidden_statuses = [1, 200, 999]
[[site.rule]]
prefix = "a"
bypas = true
[[site]]
hosts = ["a.test"]
)"),
      (Lines{"1:1: unknown key 'nonsense' in the file", "3:11: 'here' is not ADDRESS:PORT",
             "3:26: 'listen' is a list of strings", "4:11: 'workers' is a number from 0 to 256",
             "5:16: 'idle_timeout' is more than 0",
             "6:22: 'request_line_limit' is from \"1KiB\" to \"12KiB\"",
             "8:9: 'level' is one of \"info\", \"debug\", \"warning\", \"error\"",
             "10:10: 'a/b' holds more than a host and a port", "10:27: 'A.test' is listed twice",
             "11:10: 'ftp://x' is not an origin: http://host:port, https://host, or "
             "dir:/folder",
             "12:7: 'ttl' is a duration with a unit, such as \"30s\"",
             "13:18: 'stale_if_error' is in whole seconds",
             "14:15: 'x' is not an address or a network",
             "15:23: a status is a number from 200 to 599",
             "15:31: a status is a number from 200 to 599",
             "16:1: a rule has a 'prefix' that begins with /",
             "18:1: unknown key 'bypas' in [[site.rule]], did you mean 'bypass'?",
             "19:1: this site has no 'origin'", "20:10: 'a.test' is listed twice"}));
}

TEST_F(ConfigProblems, AMistakeIsToldOnce) {
  // The wrong type of a value, and not what its default would be.
  for (const std::string line :
       {"host_header = 1", "cdn_id = 1", "set_cookie = 1", "accept_encoding = 1", "ttl = true",
        "origin_ca_file = 1", "purge_from = 1", "rule = 1", "preflight_origins = 1"}) {
    EXPECT_EQ(problems_in_site(line + "\n").size(), 1u) << line;
  }
  EXPECT_EQ(problems("[server]\nrequest_line_limit = 1\nhead_timeout = 1\n[[site]]\ndefault = "
                     "true\norigin = \"dir:x\"\n")
                .size(),
            2u);
  EXPECT_EQ(problems("[[site]]\nhosts = 1\norigin = \"dir:x\"\n").size(), 1u);
  EXPECT_EQ(problems("[[site]]\ndefault = 1\norigin = \"dir:x\"\n").size(), 1u);
  EXPECT_EQ(problems("[[site]]\nhosts = [\"a b\"]\norigin = \"dir:x\"\n").size(), 1u);
  EXPECT_EQ(problems("[[site]]\ndefault = true\norigin = 1\n").size(), 1u);
  EXPECT_EQ(problems("site = 1\n").size(), 1u);
  EXPECT_EQ(problems("[[listen]]\naddress = 1\n[[site]]\ndefault = true\norigin = "
                     "\"dir:x\"\n")
                .size(),
            1u);
}

TEST_F(ConfigProblems, WhatAMistypedKeyWasMeantToBeIsNotMissedToo) {
  EXPECT_EQ(problems("[[sites]]\norigin = \"dir:x\"\n"),
            Lines{"1:3: unknown key 'sites' in the file, did you mean 'site'?"});
  EXPECT_EQ(problems("[[site]]\ndefault = true\norgin = \"dir:x\"\n"),
            Lines{"3:1: unknown key 'orgin' in [[site]], did you mean 'origin'?"});
  EXPECT_EQ(problems("[[site]]\nhost = [\"a\"]\norigin = \"dir:x\"\n"),
            Lines{"2:1: unknown key 'host' in [[site]], did you mean 'hosts'?"});
  EXPECT_EQ(problems("[[site]]\ndefalt = true\norigin = \"dir:x\"\n"),
            Lines{"2:1: unknown key 'defalt' in [[site]], did you mean 'default'?"});
  EXPECT_EQ(problems_in_site("[[site.rule]]\nprefx = \"/\"\n"),
            Lines{"5:1: unknown key 'prefx' in [[site.rule]], did you mean 'prefix'?"});
}

TEST_F(ConfigProblems, AFileOfMistakesTakesBoundedTime) {
  std::string toml = "[server]\nlisten = [";
  for (int i = 0; i < 100'000; ++i) toml += "\"x\", ";
  const Lines all = problems(toml + "]\n[[site]]\ndefault = true\norigin = \"dir:x\"\n");
  EXPECT_EQ(all.size(), base::limits::kProblemsTold);
}

TEST_F(ConfigProblems, WhatWillSurpriseIsAWarning) {
  EXPECT_EQ(problems_in_site("ttl = \"0s\"\n"),
            Lines{"4:7: warning: with a 'ttl' of 0 the origin is asked each time; 'bypass = true' "
                  "stores nothing, too"});
  EXPECT_EQ(problems_in_site("ttl = \"1h\"\ndefault_ttl = \"1h\"\n"),
            Lines{"5:15: warning: beside 'ttl', which counts always, 'default_ttl' has no effect"});
  EXPECT_EQ(problems_in_site("purge_from = [\"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\"]\n"),
            (Lines{"4:29: warning: '0.0.0.0/0' is everybody: each client may purge",
                   "4:42: warning: '::/0' is everybody: each client may purge"}));
  EXPECT_EQ(problems("[server]\ntrusted_proxies = [\"0.0.0.0/0\"]\n[[site]]\ndefault = "
                     "true\norigin = \"dir:x\"\n"),
            Lines{"2:20: warning: '0.0.0.0/0' is everybody: each client may say who it is, and by "
                  "which scheme"});
  EXPECT_EQ(
      problems_in_site("[[site.rule]]\nprefix = \"/a/\"\n[[site.rule]]\nprefix = "
                       "\"/%61//\"\n"),
      Lines{"7:10: warning: another rule has this prefix: of the two only the stricter one is "
            "used"});
  EXPECT_EQ(problems_in_site("[[site.rule]]\nprefix = \"/search?q=\"\n[[site.rule]]\nprefix = "
                             "\"/static/*\"\n"),
            (Lines{"5:10: warning: rules match the path alone, and '?' begins the query",
                   "7:10: warning: a prefix has no wildcards: '*' is the character itself"}));
}

TEST_F(ConfigProblems, WhatIsMeantIsNoSurprise) {
  EXPECT_EQ(problems_in_site("ttl = \"0s\"\nbypass = true\n"), Lines{});
  EXPECT_EQ(problems_in_site("default_ttl = \"1h\"\npurge_from = [\"10.0.0.0/1\"]\n"
                             "[[site.rule]]\nprefix = \"/a\"\nttl = \"1h\"\n"
                             "[[site.rule]]\nprefix = \"/a/\"\nttl = \"2h\"\n"),
            Lines{});
}

constexpr const char* kSite = "[[site]]\ndefault = true\norigin = \"http://127.0.0.1:9\"\n";

/// What --check finds around a configuration that is right in itself.
class Surroundings : public ConfigTest {
 protected:
  /// As a file with these lines before its site says it.
  std::string found(const std::string& lines, const std::string& origin = "http://127.0.0.1:9") {
    std::filesystem::create_directories(folder_.file("public"));
    folder_.write("perigee.toml",
                  lines + "[[site]]\ndefault = true\norigin = \"" + origin + "\"\n");
    return found_in_file();
  }
  std::string found_in_file() {
    Arguments arguments;
    arguments.config_path = folder_.file("perigee.toml");
    if (store_) arguments.store_path = folder_.file("new/folder/store");
    ReadConfig read = read_config(arguments);
    EXPECT_TRUE(read.ok()) << read.problems.text();
    check_surroundings(read);
    std::string all;
    for (const Problem& problem : read.problems.all()) {
      std::string sentence = problem.sentence();
      for (size_t at; (at = sentence.find(folder_.path())) != std::string::npos;) {
        sentence.replace(at, folder_.path().size(), "~");
      }
      all += sentence + "\n";
    }
    return all;
  }
  std::string in_folder(const std::string& name) const { return "\"" + folder_.file(name) + "\""; }

  bool store_ = true;  ///< said by --store
};

TEST_F(Surroundings, ThatAreGoodAddNothingAndMakeNothing) {
  EXPECT_EQ(found("[log]\naccess = " + in_folder("logs/access") + "\n", "dir:public"), "");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("new")));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("logs")));
}

TEST_F(Surroundings, AnOriginThatIsNoFolderIsAMistake) {
  EXPECT_TRUE(found("", "dir:none").starts_with("~/perigee.toml:3:10: "));
  folder_.write("file", "x");
  EXPECT_TRUE(found("", "dir:file").starts_with("~/perigee.toml:3:10: "));
}

TEST_F(Surroundings, AStoreThatCannotBeMadeOrOpenedIsAMistake) {
  store_ = false;
  folder_.write("file", "x");
  EXPECT_EQ(found("[store]\npath = " + in_folder("file/store") + "\n"),
            "~/perigee.toml:2:8: the store file ~/file/store cannot be made: ~/file is no "
            "folder\n");
  EXPECT_EQ(found("[store]\npath = " + in_folder("public") + "\n"),
            "~/perigee.toml:2:8: ~/public: is a folder, not a file\n");
}

TEST_F(Surroundings, AFolderThatOneMayNotWriteToIsAMistake) {
  store_ = false;
  folder_.write("closed/file", "x");
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder_.file("closed"), std::filesystem::perms(0500));
  // Root may write everywhere: then another user asks.
  const bool root = ::geteuid() == 0;
  constexpr uid_t kNobody = 65'534;
  for (const char* name : {"closed/store", "closed/file", "closed/new/folder/store"}) {
    const std::string lines =
        "[store]\npath = " + in_folder(name) + "\n[log]\naccess = " + in_folder(name) + "\n";
    folder_.write("perigee.toml", lines + kSite);
    ASSERT_TRUE(!root || ::seteuid(kNobody) == 0);
    const std::string said = found_in_file();
    ASSERT_TRUE(!root || ::seteuid(0) == 0);
    EXPECT_NE(said.find("~/perigee.toml:2:8: the store file "), std::string::npos) << said;
    EXPECT_NE(said.find("~/perigee.toml:4:10: the access log "), std::string::npos) << said;
    EXPECT_NE(said.find("Permission denied"), std::string::npos) << said;
  }
}

TEST_F(Surroundings, ASizeThatNoStoreCanHaveIsAMistakeAndAFullDiskIsASurprise) {
  EXPECT_TRUE(found("[store]\nsize = \"1KiB\"\n").starts_with("~/perigee.toml:2:8: "));
  const std::string large = found("[store]\nsize = \"9000TiB\"\n");
  EXPECT_TRUE(large.starts_with("~/perigee.toml:2:8: warning: the store takes ")) << large;
  EXPECT_NE(large.find(" MiB, and the disk has room for "), std::string::npos) << large;
}

TEST_F(Surroundings, AnAccessLogThatCannotBeWrittenIsAMistake) {
  folder_.write("file", "x");
  EXPECT_EQ(found("[log]\naccess = " + in_folder("public") + "\n"),
            "~/perigee.toml:2:10: the access log ~/public cannot be opened: Is a directory\n");
  EXPECT_EQ(found("[log]\naccess = " + in_folder("file/access") + "\n"),
            "~/perigee.toml:2:10: the access log ~/file/access cannot be opened: ~/file is no "
            "folder\n");
  EXPECT_EQ(found("[log]\naccess = \"stdout\"\n"), "");
}

TEST_F(Surroundings, AnOriginThatIsTheNodeItselfIsASurprise) {
  const auto at = [&](const std::string& listen, const std::string& origin) {
    return found("[server]\nlisten = [\"" + listen + "\"]\n", origin);
  };
  const std::string warned =
      "~/perigee.toml:5:10: warning: this is an address of the node itself\n";
  EXPECT_EQ(at("127.0.0.1:81", "http://127.0.0.1:81"), warned);
  EXPECT_EQ(at(":81", "http://localhost:81"), warned);
  EXPECT_EQ(at("[::]:81", "http://[::1]:81"), warned);
  EXPECT_EQ(at(":81", "http://127.0.0.1:82"), "");
  EXPECT_EQ(at("127.0.0.1:81", "http://127.0.0.2:81"), "");
  EXPECT_EQ(at(":81", "http://app.test:81"), "");
}

}  // namespace
}  // namespace perigee::edge
