import Libpq
import Testing

/// Strings that hold a password in a place where libpq or we could show it; parsing needs no server.
@Suite struct ConnectionTargetTests {
  @Test(arguments: [
    "S3CRET", "u:S3CRET@host", "mysql://u:S3CRET@host/db", "host=h password=S3CRET extra", "host=h password='S3CRET",
    "password=x S3CRET=y", "postgresql://u:%zzS3CRET@host/db", "postgresql://u:S3CRET", "postgresql://u:S3CRET/db",
    "postgresql://u:x@S3CRET@host/db", "postgresql://u:S3CRET@@host/db", "postgresql://u:x/S3CRET@host/db",
    "postgresql://u:S3CRET/x@host/db", "postgresql://u:12/S3CRET@host/db", "postgresql://u:x@S3C/S3CRET@host/db",
    "postgresql://u:x@\u{301}S3CRET@\u{301}host/db", "postgresql://u:x?S3CRET/y@host/db",
    "dbname=postgresql://u:S3CRET@host/db", "dbname='host=h password=S3CRET'", "host=u:S3CRET@host",
    "host=h,password=S3CRET", "hostaddr=127.0.0.1,password=S3CRET", "host=h user=u,Password=S3CRET",
    "service=s,sslpassword=S3CRET",
    "application_name=a,password=S3CRET", "hostaddr=u:S3CRET@host", "host=h port=S3CRET",
    "postgres://u:x/S3CRET@host/db",
  ])
  func `a string that could not have been meant so is refused without being shown`(string: String) {
    let error = #expect(throws: PostgresError.self) { _ = try ConnectionTarget(string) }
    #expect(error?.origin == .connecting)
    #expect(error?.operation == "reading the connection string")
    var shown = ""
    dump(error, to: &shown)
    #expect(!shown.contains("S3CRET") && error.map { !"\($0)".contains("S3CRET") } == true)
  }

  @Test(arguments: [
    ("postgresql://u:p@db.example:5433/shop", "database shop on db.example:5433"),
    ("postgres://db.example", "the default database on db.example"),
    ("postgresql://u:p@db.example/a%40b", "database a@b on db.example"),
    ("postgresql://u@db.example/shop?application_name=a@b", "database shop on db.example"),
    ("postgresql://%2Frun%2Fpg/shop", "database shop on /run/pg"),
    ("postgresql://a:1,b:2/shop", "database shop on a,b:1,2"),
    ("host=db.example dbname=shop user=u", "database shop on db.example"),
    ("hostaddr=127.0.0.1", "the default database on 127.0.0.1"),
    ("service=production", "the default database on service production"),
    ("dbname=a@b", "database a@b on the default host"),
    ("host=db.example password='x://y/z@v?w' dbname=shop", "database shop on db.example"),
    ("host=/run/a=b user='cn=u,dc=example' password='x,password=y' dbname=shop", "database shop on /run/a=b"),
    ("postgresql://u:x?y@db.example/shop", "database shop on db.example"),
    ("", "the default database on the default host"),
  ])
  func `is described by database, host and port`(string: String, description: String) throws {
    let target = try ConnectionTarget(string)
    #expect(target.description == description)
  }

  @Test(arguments: [
    "postgresql://u:S3CRET@h/d?sslmod=require", "host=h sslmod=require password=S3CRET", "host='a b' sslmod=require",
  ])
  func `a parameter that libpq does not know is named`(string: String) {
    let error = #expect(throws: PostgresError.self) { try ConnectionTarget(string) }
    #expect(error?.message.contains("libpq knows no parameter sslmod") == true)
    #expect(error.map { !"\($0)".contains("S3CRET") } == true)
  }

  @Test(arguments: ["postgresql://u:pa@h/d?s3cret@x=1", "host=h password=a s3cret=x", "password=a s3cret=x"])
  func `what may be a piece of a password is not named`(string: String) {
    let error = #expect(throws: PostgresError.self) { try ConnectionTarget(string) }
    #expect(error.map { !"\($0)".contains("s3cret") } == true)
  }

  @Test func `knows whether the string holds a password, and keeps it to itself`() throws {
    for string in ["host=h password=S3CRET", "postgresql://u:S3CRET@h/d", "postgresql://h/d?password=S3CRET"] {
      let target = try ConnectionTarget(string)
      #expect(target.holdsPassword)
      var shown = "\(target) \(String(reflecting: target))"
      dump(target, to: &shown)
      #expect(!shown.contains("S3CRET"))
    }
    #expect(try !ConnectionTarget("host=h").holdsPassword)
    #expect(try !ConnectionTarget(nil).holdsPassword)
    #expect(try ConnectionTarget(nil).description == "the default database on the default host")
  }
}
