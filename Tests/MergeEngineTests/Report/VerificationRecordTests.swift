import TestSupport
import Testing

/// What `verify` leaves behind for the report, and what it does where it may not.
@Suite struct VerificationRecordTests {
  @Test func `a verification is recorded with the newest run, whatever it finds`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet", "--ties", "compare").status == 0)
      #expect(try await database.call("--quiet", "--ties", "compare").status == 0)
      #expect(try await database.call("verify", "--quiet").status == 0)
      try database.run("DELETE FROM production.orders WHERE order_id = 8")
      #expect(try await database.call("verify", "--quiet", "--recheck-after", "0").status == 65)
      #expect(
        try database.sortedRows(
          "SELECT run_id, report ->> 'status', verified_at IS NOT NULL FROM admin.merge_verifications"
        )
          == ["(2,DIFFERENT,t)", "(2,SUCCESS,t)"]
      )
    }
  }

  @Test func `it is recorded with a run whose rows were compared, and where none was there is none`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet", "--ties", "compare", "--table", "customers").status == 0)
      #expect(
        try await database.call("--quiet", "--ties", "compare", "--table", "orders", "--table", "customers").status == 0
      )
      #expect(try await database.call("--quiet", "--ties", "compare", "--table", "customers").status == 0)
      #expect(try await database.call("verify", "--quiet", "--table", "orders").status == 0)
      #expect(try await database.call("verify", "--quiet", "--table", "customers").status == 0)
      try database.run("UPDATE admin.merge_summary SET status = 'ROLLED BACK' WHERE id = 3")
      #expect(try await database.call("verify", "--quiet").status == 0)
      // Nothing can be compared.
      try database.run("ALTER TABLE production.orders DROP CONSTRAINT orders_pkey")
      #expect(try await database.call("verify", "--quiet").status == 73)
      #expect(
        try database.sortedRows(
          "SELECT id, run_id, report ->> 'status', report -> 'scope' ->> 'tables' FROM admin.merge_verifications"
        )
          == [#"(1,2,SUCCESS,"[""orders""]")"#, #"(2,3,SUCCESS,"[""customers""]")"#, "(3,2,SUCCESS,)"]
      )
    }
  }

  @Test func `a verification of a part hides none of the whole, and says what it left out`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet", "--ties", "compare").status == 0)
      try database.run("DELETE FROM production.orders WHERE order_id = 8")
      #expect(try await database.call("verify", "--quiet", "--recheck-after", "0").status == 65)
      #expect(try await database.call("verify", "--quiet", "--table", "customers").status == 0)
      #expect(try await database.call("verify", "--quiet", "--from", "2025-01-05", "--to", "2025-01-06").status == 0)
      let page = try await Chromium.open(try await database.call("report", "1", "--output", "-").output)
      #expect(page.text.contains("orders\tmissing\torder_id 8"))
      #expect(page.text.contains("Later verification of a part"))
      #expect(
        page.text.contains("Only rows whose version is not before 2025-01-05 and before 2025-01-06 were compared.")
      )
      #expect(page.unnamed == [])
      try database.run("DELETE FROM admin.merge_verifications WHERE id <> 2")
      let part = try await Chromium.open(try await database.call("report", "1", "--output", "-").output)
      #expect(part.text.contains("Not compared: orders."))
      #expect(!part.text.contains("Later verification"))
    }
  }

  @Test func `a role that may not record verifies all the same, and is told so once`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet", "--ties", "compare").status == 0)
      let role = "verifier_\(database.name)"
      try database.run(
        """
        CREATE ROLE \(role) LOGIN;
        GRANT USAGE ON SCHEMA staging, production, admin TO \(role);
        GRANT SELECT ON ALL TABLES IN SCHEMA staging, production, admin TO \(role);
        """
      )
      let before = try database.contents()
      let outcome = try await CommandLineProgram.run([
        "verify", "--json", "--database", database.connectionString(role: role),
      ])
      #expect(outcome.status == 0)
      #expect(try outcome.json()["status"].text == "SUCCESS")
      #expect(outcome.errors.split(separator: "\n").count == 1)
      #expect(outcome.errors.contains("the result is not recorded") && outcome.errors.contains("SQLSTATE 42501"))
      #expect(try database.contents() == before)
      try database.run("DROP OWNED BY \(role); DROP ROLE \(role)")
    }
  }

  @Test func `where nothing was ever merged there is nothing to record it with, and nothing is said`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run("DROP SCHEMA admin CASCADE")
      let outcome = try await database.call("verify", "--json")
      // Staging is empty, and to have compared nothing is no success.
      #expect(outcome.status == 65)
      #expect(try outcome.json()["status"].text == "NOTHING COMPARED")
      #expect(outcome.errors == "")
      #expect(try database.holds("to_regnamespace('admin') IS NULL"))
    }
  }
}
