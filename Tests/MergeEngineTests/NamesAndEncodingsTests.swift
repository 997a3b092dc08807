import Libpq
import MergeEngine
import TestSupport
import Testing

/// Names that need quotes, and databases that are not UTF-8.
@Suite struct NamesAndEncodingsTests {
  private struct Names {
    let staging = "St\"aging x"
    let production = "Prodüktion"
    let admin = "Admin'istration"
    let table = "Größe \"é\" \\ 50%"
    let key = "Schlüssel \"k\""
    let version = "Geändert, am"
    let value = "select"

    func quoted(_ path: KeyPath<Names, String>) -> String { Identifier(self[keyPath: path]).quoted }
  }

  /// 19 letters of three bytes, or more of one, behind `before_1_`.
  @Test(arguments: [TestDatabase.Encoding.utf8, .eucJP], ["é", "語", "x"])
  func `before-images are kept under names that the server would cut`(
    _ encoding: TestDatabase.Encoding,
    _ letter: String
  )
    async throws
  {
    try await TestDatabase.with(encoding) { database in
      let long = String(repeating: letter, count: letter == "x" ? 62 : 19)
      let tables = ["a", long + "1", long, "z"]
      try database.run("CREATE SCHEMA production; CREATE SCHEMA staging;")
      for table in tables {
        try database.run(
          """
          CREATE TABLE production."\(table)" (id int PRIMARY KEY, v text, updated_at int);
          CREATE TABLE staging."\(table)" (id int, v text, updated_at int);
          INSERT INTO production."\(table)" VALUES (1, 'old \(table)', 1);
          INSERT INTO staging."\(table)" VALUES (1, 'new \(table)', 2), (2, 'new \(table)', 2);
          """
        )
      }
      let merge = try await database.call("merge", "--before-images")
      #expect(merge.status == 0, "\(merge.transcript)")
      #expect(
        try database.count(
          "SELECT count(*) FROM admin.before_images AS i JOIN pg_class AS c ON c.oid = i.image_oid AND c.relname = i.image_table"
        ) == 4
      )
      let rollback = try await database.call("rollback", "1")
      #expect(rollback.status == 0, "\(rollback.transcript)")
      for table in tables {
        #expect(try database.rows("SELECT id, v FROM production.\"\(table)\"") == ["(1,\"old \(table)\")"])
      }
    }
  }

  @Test(arguments: TestDatabase.Encoding.allCases)
  func `capitals, quotes, spaces and letters beyond ASCII are names like others`(
    _ encoding: TestDatabase.Encoding
  ) async throws {
    try await TestDatabase.with(encoding) { database in
      let names = Names()
      let columns =
        "\(names.quoted(\.value)) text, \(names.quoted(\.key)) text, \(names.quoted(\.version)) timestamp, \"Erstellt\" int"
      let production = "\(names.quoted(\.production)).\(names.quoted(\.table))"
      let staging = "\(names.quoted(\.staging)).\(names.quoted(\.table))"
      try database.run(
        """
        CREATE SCHEMA \(names.quoted(\.staging)); CREATE SCHEMA \(names.quoted(\.production));
        CREATE TABLE \(production) (\(columns), PRIMARY KEY (\(names.quoted(\.key))),
          CONSTRAINT "nicht böse" CHECK (\(names.quoted(\.value)) <> 'böse'));
        CREATE TABLE \(staging) (\(columns), _dms_processing_status varchar(20) DEFAULT 'NEW');
        INSERT INTO \(production) VALUES ('alt', 'é', '2025-01-01', 1), ('alt', 'ü', '2025-01-01', 1);
        INSERT INTO \(staging) VALUES ('neu ß', 'é', '2025-01-02', 2), ('neu ß', 'ö', '2025-01-02', 2);
        """
      )
      for hasBadRow in [false, true] {
        if hasBadRow { try database.run("INSERT INTO \(staging) VALUES ('böse', 'å', '2025-01-02', 2)") }
        let report = try await database.merge {
          $0.schemas.staging = names.staging
          $0.schemas.production = names.production
          $0.schemas.admin = names.admin
          $0.tables = [names.table]
          $0.columns.version = names.version
          $0.columns.insertOnly = ["Erstellt"]
        }
        #expect(report.failures == [])
        #expect(report.totals.errors == (hasBadRow ? 1 : 0))
      }
      #expect(
        try database.difference(
          "TABLE \(production)",
          """
          VALUES ('neu ß'::text, 'é'::text, '2025-01-02'::timestamp, 1), ('alt', 'ü', '2025-01-01', 1),
                 ('neu ß', 'ö', '2025-01-02', 2)
          """
        ) == []
      )
      #expect(
        try database.value("SELECT row_key->>\(Literal(names.key).quoted) FROM \(names.quoted(\.admin)).merge_errors")
          == "å"
      )
    }
  }

  @Test func `bytes that are no UTF-8 pass through a SQL_ASCII database as they are`() async throws {
    try await TestDatabase.with(.sqlASCII) { database in
      let columns = "id text, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id), CHECK (v <> 'bad')", staging: columns)
      try database.run(
        #"""
        SET client_encoding = SQL_ASCII;
        INSERT INTO production.t VALUES (E'\xe9', 1, 'old');
        INSERT INTO staging.t VALUES (E'\xe9', 2, E'caf\xe9'), (E'\xff\xfe', 2, E'\x80'), ('bad', 2, 'bad');
        """#
      )
      let report = try await database.merge()
      #expect(report.totals.updated == 1)
      #expect(report.totals.inserted == 1)
      #expect(report.totals.errors == 1)
      #expect(
        try database.rows("SELECT id::bytea, v::bytea FROM production.t ORDER BY id")
          == [#"("\\xe9","\\x636166e9")"#, #"("\\xfffe","\\x80")"#]
      )
    }
  }

  @Test func `the whole of Latin-1 passes through a Latin-1 database`() async throws {
    try await TestDatabase.with(.latin1) { database in
      let columns = "id text, updated_at int, v text"
      try database.makePair(production: columns + ", PRIMARY KEY (id)", staging: columns)
      try database.run(
        """
        INSERT INTO staging.t SELECT convert_from(set_byte('x', 0, n), 'LATIN1'), 1, convert_from(set_byte('x', 0, n), 'LATIN1')
        FROM generate_series(1, 255) n
        """
      )
      let report = try await database.merge()
      #expect(report.totals.inserted == 255)
      #expect(try database.difference("SELECT id, updated_at, v FROM staging.t", "TABLE production.t") == [])
    }
  }
}
