import Foundation
import TestSupport
import Testing

/// What is written is for this user only, and goes where it was meant to go.
@Suite struct FilePermissionTests {
  /// The permissions of everything under a folder, by path.
  private func permissions(_ folder: String) throws -> [String: Int] {
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    return try names.reduce(into: [:]) { result, name in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(name)")
      let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
      result[name + (isFolder ? "/" : "")] = attributes[.posixPermissions] as? Int
    }
  }

  @Test func `snapshots, archives and reports can be read by their owner alone, whatever the umask`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try await withFolder { folder async throws in
        for arguments in [
          ["snapshot", "save", "\(folder)/deep/night"], ["--report", "\(folder)/merge.html"],
          ["report", "1", "--output", "\(folder)/run.html"], ["cleanup", "--archive", "\(folder)/old/runs"],
        ] {
          let outcome = try await CommandLineProgram.run(
            arguments + ["--database", database.connectionString],
            through: "umask 0; exec \"$0\" \"$@\""
          )
          #expect(outcome.status == 0, "\(arguments): \(outcome.transcript)")
        }
        let found = try permissions(folder)
        #expect(found.count >= 9)
        for (name, permissions) in found {
          #expect(permissions == (name.hasSuffix("/") ? 0o700 : 0o600), "\(name): \(String(permissions, radix: 8))")
        }
      }
    }
  }

  @Test func `a link where a file or a folder should be is refused, and nothing is written behind it`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--quiet").status == 0)
      try await withFolder { folder async throws in
        let files = FileManager.default
        try files.createDirectory(atPath: "\(folder)/elsewhere", withIntermediateDirectories: false)
        try Data("kept".utf8).write(to: URL(filePath: "\(folder)/victim"))
        for name in ["page.html", "metrics.prom", "run-1.json", "dangling"] {
          try files.createSymbolicLink(
            atPath: "\(folder)/\(name)",
            withDestinationPath: "\(folder)/\(name == "dangling" ? "nothing" : "victim")"
          )
        }
        try files.createSymbolicLink(atPath: "\(folder)/night", withDestinationPath: "\(folder)/elsewhere")
        for arguments in [
          ["report", "1", "--output", "\(folder)/page.html"], ["status", "--prometheus", "\(folder)/metrics.prom"],
          ["report", "1", "--output", "\(folder)/dangling"], ["cleanup", "--archive", folder],
          ["snapshot", "save", "\(folder)/night"], ["--again", "--report", "\(folder)/page.html"],
        ] {
          let outcome = try await database.call(arguments: arguments)
          #expect(outcome.status == 73, "\(arguments): \(outcome.transcript)")
          #expect(outcome.errors.contains("symbolic link"), "\(arguments): \(outcome.transcript)")
        }
        #expect(try String(contentsOfFile: "\(folder)/victim", encoding: .utf8) == "kept")
        #expect(try files.contentsOfDirectory(atPath: "\(folder)/elsewhere") == [])
        #expect(!files.fileExists(atPath: "\(folder)/nothing"))
        #expect(try database.count("SELECT count(*) FROM admin.merge_summary") == 1)
      }
    }
  }
}
