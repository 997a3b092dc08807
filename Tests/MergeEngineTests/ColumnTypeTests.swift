import TestSupport
import Testing

/// Columns of every type arrive as they were, whichever way they go.
@Suite struct ColumnTypeTests {
  static let setup = """
    CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube;
    CREATE EXTENSION seg; CREATE EXTENSION isn; CREATE EXTENSION intarray;
    CREATE TYPE mood AS ENUM ('sad', 'so so', '');
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE nest AS (p pair, list pair[], m mood);
    CREATE TYPE textrange AS RANGE (subtype = text);
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE DOMAIN short AS varchar(3) NOT NULL DEFAULT 'x';
    CREATE DOMAIN pairs AS pair[];
    CREATE DOMAIN outer_domain AS positive CHECK (value < 100);
    """

  /// Types with values of them, as SQL.
  static let types: [(type: String, values: [String])] = [
    ("bool", ["true", "false"]),
    ("smallint", ["-32768", "32767"]),
    ("int", ["-2147483648", "0"]),
    ("bigint", ["-9223372036854775808", "9223372036854775807"]),
    ("numeric", ["1e100::numeric", "-0.000000000000000000001", "'NaN'", "'Infinity'"]),
    ("numeric(10,2)", ["99999999.99", "-0.01"]),
    ("float4", ["1.1", "'-0'", "'NaN'", "'-Infinity'", "1e-45"]),
    ("float8", ["0.1 + 0.2", "'-0'", "'NaN'", "5e-324"]),
    ("money", ["'-92233720368547758.08'", "'12.34'"]),
    ("text", ["''", "E'\\\\N'", "E'\\t\\n\\r\\\\'", "'漢字 🦉'", "repeat('long', 100000)"]),
    ("varchar(5)", ["'abc'", "'ab   '"]),
    ("char(5)", ["'abc'", "''"]),
    ("name", ["'Name'"]),
    ("\"char\"", ["'a'", "''"]),
    ("bytea", ["''", "'\\x00ff0a5c'", "decode(repeat('00ff', 50000), 'hex')"]),
    ("date", ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"]),
    ("time", ["'24:00'", "'00:00:00.000001'"]),
    ("timetz", ["'12:00+15:59'", "'12:00-15:59:59'"]),
    ("timestamp", ["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'"]),
    ("timestamp(0)", ["'2025-01-01 00:00:01'"]),
    ("timestamptz", ["'infinity'", "'4713-11-24 12:00 BC'", "'2025-03-30 02:30 Europe/Berlin'"]),
    ("interval", ["'-178000000 years'", "'1 mon -1 day 00:00:00.000001'"]),
    ("interval hour to minute", ["'12:34'"]),
    ("uuid", ["'00000000-0000-0000-0000-000000000000'", "gen_random_uuid()"]),
    ("json", ["'{\"a\": 1, \"a\":  2}'", "'\"\\u0000\"'"]),
    ("jsonb", ["'{\"b\": [1, null, {\"c\": \"ü\"}]}'", "'null'"]),
    ("jsonpath", ["'$.a[*] ? (@ > 1)'"]),
    ("xml", ["'<a>ü<b/></a>'", "'text <only/>'", "'<?xml version=\"1.0\"?><a/>'", "'<!DOCTYPE a><a/>'"]),
    ("bit(3)", ["B'101'"]),
    ("bit varying(9)", ["B''", "B'000000001'"]),
    ("inet", ["'10.0.0.1/8'", "'::1'"]),
    ("cidr", ["'10.0.0.0/8'"]),
    ("macaddr", ["'08:00:2b:01:02:03'"]),
    ("macaddr8", ["'08:00:2b:01:02:03:04:05'"]),
    ("point", ["'(1.5,-2)'"]),
    ("line", ["'{1,2,3}'"]),
    ("lseg", ["'[(1,2),(3,4)]'"]),
    ("box", ["'(3,4),(1,2)'"]),
    ("path", ["'[(1,2),(3,4)]'", "'((1,2),(3,4))'"]),
    ("polygon", ["'((1,2),(3,4),(5,6))'"]),
    ("circle", ["'<(1,2),3>'"]),
    ("tsvector", ["'''a b'':1A,2B c'", "''"]),
    ("tsquery", ["'a & (b | !c:*A)'"]),
    ("pg_lsn", ["'16/B374D848'"]),
    ("pg_snapshot", ["'10:20:10,14'"]),
    ("xid8", ["'18446744073709551615'"]),
    ("oid", ["4294967295"]),
    ("regclass", ["'pg_class'"]),
    ("int4range", ["'empty'", "'[1,)'"]),
    ("tstzrange", ["'[2025-01-01,infinity)'"]),
    ("int4multirange", ["'{[1,2),[5,)}'", "'{}'"]),
    ("textrange", ["'[\"a,b\",c]'"]),
    ("int[]", ["'{}'", "'{1,NULL,3}'", "'[-1:1]={1,2,3}'", "'{{1,2},{3,4}}'"]),
    ("text[]", ["'{\"\",\"NULL\",NULL,\"a\\\"b\"}'"]),
    ("varchar(3)[]", ["'{abc,d}'"]),
    ("numeric(4,1)[]", ["'{1.5,NaN}'"]),
    ("aclitem", ["'postgres=r/postgres'"]),
    ("aclitem[]", ["'{postgres=r/postgres,=w/postgres}'"]),
    ("mood", ["'so so'", "''"]),
    ("mood[]", ["'{sad,\"\"}'"]),
    ("pair", ["'(1,\"a,b\")'", "'(,)'"]),
    ("pair[]", ["'{\"(1,a)\",NULL}'"]),
    ("nest", ["ROW(ROW(1, 'x'), ARRAY[ROW(2, NULL)]::pair[], 'sad')"]),
    ("positive", ["7"]),
    ("outer_domain", ["8"]),
    ("short", ["'abc'", "''"]),
    ("pairs", ["'{\"(1,a)\"}'"]),
    ("positive[]", ["'{1,2}'"]),
    ("hstore", ["'a=>1, b=>NULL'", "''"]),
    ("citext", ["'MiXeD'"]),
    ("ltree", ["'Top.Science'"]),
    ("cube", ["'(1,2),(3,4)'"]),
    ("seg", ["'1.5 .. 2.50'"]),
    ("isbn13", ["'978-0-393-04002-9'"]),
    ("isbn13[]", ["'{978-0-393-04002-9}'"]),
    ("query_int", ["'1&(2|3)'"]),
  ]

  /// - Parameter hasBadRow: one refused row sends the whole batch the careful way.
  @Test(arguments: [false, true])
  func `every type arrives as it was`(hasBadRow: Bool) async throws {
    try await TestDatabase.with { database in
      try database.run(Self.setup)
      let hasXML = try database.hasXML()
      let types = Self.types.filter { hasXML || $0.type != "xml" }
      for (number, entry) in types.enumerated() {
        let columns = "k int, updated_at timestamp, v \(entry.type)"
        try database.makePair(
          "t\(number)",
          production: columns + ", PRIMARY KEY (k), CHECK (k <> 99)",
          staging: columns
        )
        for (place, value) in entry.values.enumerated() {
          let new = "(\(value))::\(entry.type)"
          let other = "(\(entry.values[0]))::\(entry.type)"
          try database.run(
            """
            INSERT INTO production.t\(number) VALUES (\(2 * place), '2025-01-01', \(other));
            INSERT INTO staging.t\(number) VALUES
              (\(2 * place), '2025-01-02', \(new)), (\(2 * place + 1), '2025-01-02', \(new));
            """
          )
        }
        if entry.type != "short" {
          try database.run(
            """
            INSERT INTO production.t\(number) VALUES (50, '2025-01-01', \(entry.values[0]));
            INSERT INTO staging.t\(number) VALUES (50, '2025-01-02', NULL), (51, '2025-01-02', NULL);
            """
          )
        }
        if hasBadRow {
          try database.run(
            "INSERT INTO staging.t\(number) VALUES (99, '2025-01-02', (\(entry.values[0]))::\(entry.type))"
          )
        }
      }
      let report = try await database.merge()
      #expect(report.status == (hasBadRow ? .partial : .success))
      #expect(report.failures == [])
      for (number, entry) in types.enumerated() {
        #expect(
          try database.difference(
            "SELECT k, updated_at, format('%s', v) FROM production.t\(number)",
            "SELECT k, updated_at, format('%s', v) FROM staging.t\(number) WHERE k <> 99"
          ) == [],
          "\(entry.type)"
        )
      }
      #expect(
        try database.count("SELECT count(*) FROM admin.merge_errors WHERE sqlstate = '23514'")
          == (hasBadRow ? types.count : 0)
      )
    }
  }
}
