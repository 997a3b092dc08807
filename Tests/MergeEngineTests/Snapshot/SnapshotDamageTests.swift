import Foundation
import TestSupport
import Testing

/// Files that are not as they were saved: nothing is merged from them, and the message says what is wrong with which.
@Suite struct SnapshotDamageTests {
  /// What is done to a snapshot, and what must be said of it.
  struct Damage: Sendable, CustomTestStringConvertible {
    let name: String
    let message: String
    /// The file's checksum is put right afterwards, as somebody would who edits a snapshot by hand.
    var mendsChecksum = false
    let inflict: @Sendable (borrowing SnapshotFolder) throws -> Void

    var testDescription: String { name }
  }

  /// orders.pgcopy: 19 bytes of header; rows of 2 bytes for the field count, then fields with 4 bytes of length.
  static let damages: [Damage] = [
    Damage(name: "a flipped bit", message: "its SHA-256 is not that of the manifest") { folder in
      try folder.change("orders.pgcopy") { $0[$0.count / 2] ^= 1 }
    },
    Damage(name: "a file cut short", message: "7 are missing") { folder in
      try folder.change("orders.pgcopy") { $0.removeLast(7) }
    },
    Damage(name: "bytes added", message: "3 too many") { folder in
      try folder.change("orders.pgcopy") { $0 += Data("xyz".utf8) }
    },
    Damage(name: "another table's file", message: "instead of") { folder in
      let other = try folder.bytes("customers.pgcopy")
      try folder.change("orders.pgcopy") { $0 = other }
    },
    Damage(
      name: "another table's file with its length and checksum",
      message: "a row has 7 fields instead of 6",
      mendsChecksum: true
    ) { folder in
      let other = try folder.bytes("customers.pgcopy")
      try folder.change("orders.pgcopy") { $0 = other }
    },
    Damage(name: "an empty file", message: "are missing") { folder in
      try folder.change("orders.pgcopy") { $0 = Data() }
    },
    Damage(name: "a missing file", message: "it is missing") { folder in
      try FileManager.default.removeItem(at: folder.file("orders.pgcopy"))
    },
    Damage(name: "a negative length", message: "impossible length -2, at byte 21", mendsChecksum: true) { folder in
      try folder.change("orders.pgcopy") { $0.replaceSubrange(21..<25, with: [0xFF, 0xFF, 0xFF, 0xFE]) }
    },
    Damage(name: "a length that no integer has", message: "3 bytes long instead of 4", mendsChecksum: true) { folder in
      try folder.change("orders.pgcopy") { $0[24] = 3 }
    },
    Damage(name: "a wrong header", message: "binary COPY signature", mendsChecksum: true) { folder in
      try folder.change("orders.pgcopy") { $0[0] = UInt8(ascii: "X") }
    },
    Damage(name: "no trailer", message: "the data ends too early", mendsChecksum: true) { folder in
      try folder.change("orders.pgcopy") { $0.removeLast(2) }
    },
    Damage(name: "bytes behind the trailer", message: "something follows the end", mendsChecksum: true) { folder in
      try folder.change("orders.pgcopy") { $0 += Data([0]) }
    },
    Damage(name: "a manifest that counts other rows", message: "rows instead of 41") { folder in
      try folder.changeManifest("\"rows\" : 40", to: "\"rows\" : 41")
    },
    Damage(name: "a manifest with another type", message: "instead of 8") { folder in
      try folder.changeManifest("\"base_type\" : \"integer\"", to: "\"base_type\" : \"bigint\"")
    },
    Damage(
      name: "a manifest with a type that does not exist",
      message: "the type no_such of the snapshot's column amount does not exist"
    ) { folder in
      try folder.changeManifest("\"base_type\" : \"numeric\"", to: "\"base_type\" : \"no_such\"")
    },
    Damage(name: "a manifest with SQL for a type", message: "does not exist in this database") { folder in
      try folder.changeManifest(
        "\"base_type\" : \"numeric\"",
        to: "\"base_type\" : \"numeric); DROP SCHEMA production CASCADE; --\""
      )
    },
    Damage(name: "a manifest without a column", message: "a row has 6 fields instead of 5") { folder in
      try changeTables(folder) { $0[1]["columns"].elements.removeLast() }
    },
    Damage(name: "a manifest of a newer version", message: "format version 3, of a newer merge-engine") { folder in
      try folder.changeManifest("\"format_version\" : 1", to: "\"format_version\" : 3")
    },
    Damage(name: "a manifest that is not JSON", message: "it is not JSON") { folder in
      try folder.change("manifest.json") { $0 = Data("tables: []".utf8) }
    },
    Damage(name: "a manifest without an id", message: "the key snapshot_id is missing") { folder in
      try folder.changeManifest("\"snapshot_id\"", to: "\"snapshot\"")
    },
    Damage(name: "a manifest that leaves the folder", message: "a file that can't be in the folder") { folder in
      try folder.changeManifest("\"orders.pgcopy\"", to: "\"../orders.pgcopy\"")
    },
    Damage(name: "a manifest with a table twice", message: "contradicts itself about the table orders") { folder in
      try changeTables(folder) { tables in
        var copy = tables[1]
        copy["file"] = .string("other.pgcopy")
        tables.append(copy)
      }
    },
    Damage(name: "a manifest with one file for two tables", message: "names the file customers.pgcopy for two") {
      folder in
      try changeTables(folder) { $0[1]["file"] = .string("customers.pgcopy") }
    },
    Damage(name: "a manifest without a table", message: "names no table") { folder in
      try changeTables(folder) { $0 = [] }
    },
    Damage(name: "a manifest with a negative count", message: "contradicts itself about the table orders") { folder in
      try changeTables(folder) { $0[1]["rows"] = .number(-1) }
    },
    Damage(name: "a manifest with a negative length", message: "contradicts itself about the table orders") { folder in
      try changeTables(folder) { $0[1]["bytes"] = .number(-1) }
    },
    Damage(name: "a manifest whose key is no column", message: "contradicts itself about the table orders") { folder in
      try changeTables(folder) { $0[1]["primary_key"] = .array([.string("no_such")]) }
    },
    Damage(name: "a manifest whose version is no column", message: "contradicts itself about the table orders") {
      folder in
      try changeTables(folder) { $0[1]["version_column"] = .string("no_such") }
    },
    Damage(name: "no manifest", message: "or an unfinished one") { folder in
      try FileManager.default.removeItem(at: folder.file("manifest.json"))
    },
  ]

  /// Writes the manifest anew with other tables: customers is the first, orders the second.
  private static func changeTables(
    _ folder: borrowing SnapshotFolder,
    _ change: (inout [JSONValue]) -> Void
  ) throws {
    try folder.change("manifest.json") { data in
      var object = try JSONValue(data: data)
      try #require(object["tables"].elements.map(\.["name"].text) == ["customers", "orders"])
      change(&object["tables"].elements)
      data = try JSONEncoder().encode(object)
    }
  }

  @Test(arguments: damages)
  func `from a damaged snapshot nothing is merged, and the message says what is wrong`(_ damage: Damage) async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try damage.inflict(folder)
      if damage.mendsChecksum { try mendManifest(folder) }
      let before = try database.contents()
      for arguments in [["replay", folder.path], ["replay", folder.path, "--into-staging"]] {
        let outcome = try await database.call(arguments: arguments)
        #expect(outcome.status == 73)
        #expect(outcome.errors.contains(damage.message), "\(outcome.errors)")
        #expect(outcome.errors.contains("Nothing was written."))
        #expect(outcome.output == "")
      }
      #expect(try database.contents() == before)
    }
  }

  @Test func `info names every damaged file at once, needs no database, and ends with 73`() async throws {
    try await TestDatabase.with { database async throws in
      let folder = try SnapshotFolder()
      try await prepare(database, folder)
      try folder.change("orders.pgcopy") { $0[100] ^= 0x80 }
      try folder.change("customers.pgcopy") { $0.removeLast() }
      let outcome = try await CommandLineProgram.run(["snapshot", "info", folder.path])
      #expect(outcome.status == 73)
      #expect(outcome.errors.contains("orders: the file"))
      #expect(outcome.errors.contains("customers: the file"))
    }
  }

  private func prepare(_ database: TestDatabase, _ folder: borrowing SnapshotFolder) async throws {
    try await database.makeGuideTables()
    try database.fillGuideTables(orderCount: 40, customerCount: 50)
    #expect(try await database.call("snapshot", "save", folder.path, "--quiet").status == 0)
    // So that what stands against a restore is the damage and nothing else.
    try database.run("TRUNCATE staging.orders, staging.customers")
  }

  /// Writes the file's own length and checksum into the manifest.
  private func mendManifest(_ folder: borrowing SnapshotFolder) throws {
    let data = try folder.bytes("orders.pgcopy")
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["sha256sum", folder.file("orders.pgcopy").path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    let digest = String(decoding: output.prefix(64), as: UTF8.self)
    try Self.changeTables(folder) { tables in
      tables[1]["bytes"] = .number(Double(data.count))
      tables[1]["sha256"] = .string(digest)
    }
  }
}
