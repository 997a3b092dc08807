import Libpq
import TestSupport
import Testing

@testable import MergeEngine

/// Questions to the catalog, with hundreds of tables: each looks at a column some few times.
@Suite struct CatalogSizeTests {
  @Test func `no question goes over the catalog once for every table`() async throws {
    try await TestDatabase.with { database in
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        DO $$ BEGIN
          FOR n IN 1..200 LOOP
            EXECUTE format('CREATE TABLE production.t%s (id int PRIMARY KEY, b int, c varchar(9), d numeric(9,2), e text)', n);
            EXECUTE format('CREATE TABLE staging.t%s (id int, b int, c varchar(9), d numeric(9,2), e text)', n);
            IF n > 1 THEN
              EXECUTE format('ALTER TABLE production.t%s ADD FOREIGN KEY (b) REFERENCES production.t%s', n, n - 1);
            END IF;
          END LOOP;
        END $$;
        ANALYZE pg_class; ANALYZE pg_attribute; ANALYZE pg_index; ANALYZE pg_constraint;
        """
      )
      let schemas = [Parameter.textArray(["production", "staging"])]
      let questions: [(String, SQL)] = [
        ("relations", CatalogSQL.relations), ("columns", CatalogSQL.columns), ("keys", CatalogSQL.uniqueIndexes),
        ("references", CatalogSQL.foreignKeys),
      ]
      // 2,000 columns of 400 tables, and the server's own 5,000.
      for (name, question) in questions {
        let looked = try database.connection.rowsLookedAt(question, schemas)
        #expect(looked < 100_000, "\(name): \(looked)")
      }
      let catalog = try Catalog(database.connection, schemas: ["production"])
      let columns = catalog.tables.flatMap { table in table.columns.map { (table.oid, $0) } }
      #expect(columns.count == 1000)
      let looked = try database.connection.rowsLookedAt(
        EqualityOperators.query,
        [
          .oidArray(columns.map(\.0)), .textArray(columns.map(\.1.name.name)), .oidArray(columns.map(\.1.baseType.oid)),
        ]
      )
      // Of five types each is looked up in a hundred operator classes and twice as many casts.
      #expect(looked < 300_000, "operators: \(looked)")
    }
  }
}
