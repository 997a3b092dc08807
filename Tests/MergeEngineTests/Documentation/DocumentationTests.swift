import Foundation
import PrivateCluster
import TestSupport
import Testing

/// The documents' commands are run as they stand there; their links lead somewhere.
@Suite(.inTurn) struct DocumentationTests {
  /// What the scripts need around them. `inline` runs a command out of a table: 65 says that there was something to find, and
  /// what never ends by itself is ended.
  private static let prelude = #"""
    set -euo pipefail -m
    inline() {
      case "$*" in
      *--watch*) set -- timeout 2 "$@" ;;
      esac
      status=0
      "$@" || status=$?
      case $status in
      0 | 65 | 124 | 130) ;;
      *) echo "$*: $status"; exit "$status" ;;
      esac
    }
    load() {
      psql -q "$DATABASE_URL" -c "INSERT INTO staging.orders
        SELECT i, 'from staging', timestamp '2025-02-01' + i * interval '1 min' FROM generate_series(100, 300) i"
    }
    csv_load() {
      mkdir -p load/SALES/ORDERS
      for i in $(seq 100 300); do echo "$i,from S3,2025-02-01 00:00:00"; done > load/SALES/ORDERS/LOAD00000001.csv
      echo "D,50,old,2025-01-01 00:00:00" > load/SALES/ORDERS/20250202-120000000.csv
    }
    load_more() {
      psql -q "$DATABASE_URL" -c "INSERT INTO staging.orders
        SELECT i, 'later', timestamp '2025-03-01' FROM generate_series(250, 400) i
        ON CONFLICT (order_id) DO UPDATE SET note = excluded.note, updated_at = excluded.updated_at"
    }

    """#

  @Test func `the commands of README merge a database of one's own, in their order`() async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster async throws in
      let owner = cluster.connectionString()
      let setup = """
        CREATE ROLE owner LOGIN PASSWORD 'x'; CREATE ROLE merger LOGIN PASSWORD 'x'; CREATE DATABASE shop OWNER owner;
        """
      let outcome = try await run("README.md", cluster, database: "shop", role: "owner", setup: setup, owner: owner)
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("SUCCESS: run 1 merged 201 staging rows; none is left."))
      #expect(outcome.output.contains("The report of run"))
      #expect(outcome.output.contains("ROLLED BACK"))
    }
  }

  @Test func `the commands of the reload's walk-through load from the simulator and merge`() async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster async throws in
      let outcome = try await run(
        "Sources/MergeEngine/MergeEngine.docc/Reloading.md",
        cluster,
        database: "scratch",
        role: "postgres",
        setup: "CREATE DATABASE scratch; ALTER ROLE postgres PASSWORD 'x'",
        owner: cluster.connectionString()
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("SUCCESS: run 1 merged 447 staging rows; none is left."), "\(outcome.transcript)")
      #expect(outcome.output.contains("exit status 76"), "\(outcome.transcript)")
    }
  }

  @Test func `the commands of the walk-through for DMS Serverless load from the simulator and merge`() async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster async throws in
      let outcome = try await run(
        "Sources/MergeEngine/MergeEngine.docc/Serverless.md",
        cluster,
        database: "scratch",
        role: "postgres",
        setup: "CREATE DATABASE scratch; ALTER ROLE postgres PASSWORD 'x'",
        owner: cluster.connectionString()
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("aws dms create-replication-config"), "\(outcome.transcript)")
      #expect(outcome.output.contains("SUCCESS: run 1 merged 447 staging rows; none is left."), "\(outcome.transcript)")
    }
  }

  @Test func `the commands of the walk-through for validation mend what DMS found`() async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster async throws in
      let outcome = try await run(
        "Sources/MergeEngine/MergeEngine.docc/Validation.md",
        cluster,
        database: "scratch",
        role: "postgres",
        setup: "CREATE DATABASE scratch; ALTER ROLE postgres PASSWORD 'x'",
        owner: cluster.connectionString()
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      // The validation, the list and the reload have something to say; the list at the end has not.
      #expect(outcome.output.matches(of: /exit status 65/).count == 3, "\(outcome.transcript)")
      #expect(outcome.output.contains("28 failures, 4 not known to be mended"), "\(outcome.transcript)")
      #expect(outcome.output.contains("28 failures, 0 not known to be mended"), "\(outcome.transcript)")
      #expect(
        outcome.output.contains("1 row that Oracle no longer has is still in production"),
        "\(outcome.transcript)"
      )
    }
  }

  @Test func `the commands about files from S3 merge them, and delete what they say was deleted`() async throws {
    try await TestServer.withOwn(in: .sleeping) { cluster async throws in
      let outcome = try await run(
        "Sources/MergeEngine/MergeEngine.docc/Snapshots.md",
        cluster,
        database: "shop",
        role: "postgres",
        setup: "CREATE DATABASE shop; ALTER ROLE postgres PASSWORD 'x'",
        owner: cluster.connectionString(),
        exports: "export PGDATABASE=shop PGUSER=postgres\n"
      )
      #expect(outcome.status == 0, "\(outcome.transcript)")
      #expect(outcome.output.contains("1 still in production"), "\(outcome.transcript)")
      #expect(outcome.output.contains("merged 201 rows; none is left."), "\(outcome.transcript)")
      #expect(outcome.output.contains("REPAIRED: run 2"), "\(outcome.transcript)")
    }
  }

  @Test func `README is short, and the links of all documents lead to files`() throws {
    let files = FileManager.default
    let folder = "Sources/MergeEngine/MergeEngine.docc"
    let articles = try files.contentsOfDirectory(atPath: DocumentedScript.repository.appending(path: folder).path)
      .filter { $0.hasSuffix(".md") }.map { "\(folder)/\($0)" }
    #expect(articles.count >= 9)
    for document in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + articles {
      let file = DocumentedScript.repository.appending(path: document)
      let text = try String(contentsOf: file, encoding: .utf8)
      if document == "README.md" { #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 200) }
      for link in text.matches(of: /\]\(([^)\s]+)\)/).map({ String($0.1) }) where !link.contains("://") {
        let path = link.split(separator: "#").first.map(String.init) ?? ""
        let target = file.deletingLastPathComponent().appending(path: path).standardized.path
        #expect(path.isEmpty || files.fileExists(atPath: target), "\(document): \(link)")
      }
      for name in text.matches(of: /<doc:([A-Za-z]+)>/).map({ String($0.1) }) {
        #expect(articles.contains("\(folder)/\(name).md"), "\(document): \(name)")
      }
    }
  }

  @Test func `what README has make do, the Makefile can`() async throws {
    let text = try String(contentsOf: DocumentedScript.repository.appending(path: "README.md"), encoding: .utf8)
    let targets = Set(text.matches(of: /make ([a-z][a-z-]*)/).map { String($0.1) })
    #expect(targets.isSuperset(of: ["install", "deb", "tarball"]))
    let make = try CommandLineProgram(
      ["make", "--dry-run", "--directory", DocumentedScript.repository.path] + targets.sorted(),
      executable: URL(filePath: "/usr/bin/env")
    )
    let outcome = try await make.outcome()
    #expect(outcome.status == 0, "\(outcome.transcript)")
  }

  /// Runs a document's script with the program, PostgreSQL's own programs and the DMS simulator's `aws` on the path. Every host
  /// name leads to the server of the test.
  private func run(
    _ document: String,
    _ cluster: PrivateCluster,
    database: String,
    role: String,
    setup: String,
    owner: String,
    exports: String = ""
  ) async throws -> CommandLineProgram.Outcome {
    let script = try DocumentedScript(document).text
    #expect(script.split(separator: "\n").count > 5)
    let tables = """
      CREATE SCHEMA IF NOT EXISTS production;
      CREATE TABLE IF NOT EXISTS production.orders (order_id int PRIMARY KEY, note text, updated_at timestamp);
      INSERT INTO production.orders SELECT i, 'old', timestamp '2025-01-01' FROM generate_series(1, 200) i;
      """
    let isReload = ["Reloading", "Serverless", "Validation"].contains { document.contains($0) }
    let around = """
      mkdir bin home
      ln -s '\(try CommandLineProgram.built().path)' bin/merge-engine
      \(isReload ? "cp -R '\(DocumentedScript.repository.path)'/Fixtures . " : "printf '#!/bin/sh\\n' > bin/make; chmod +x bin/make")
      for statement in \(setup.split(separator: ";").map { "\"\($0.trimmingCharacters(in: .whitespacesAndNewlines))\"" }.filter { $0 != "\"\"" }.joined(separator: " ")); do
        psql -q "\(owner)" -c "$statement"
      done
      \(isReload ? Self.make : "psql -q \"host=127.0.0.1 user=\(role) dbname=\(database)\" -c \"\(tables)\"")

      """
    let simulator = DocumentedScript.repository.appending(path: "Tests/DMSSimulator/bin").path
    let path = [
      "$PWD/bin", cluster.binaries.directory, simulator, ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
    ].joined(separator: ":")
    let program = try CommandLineProgram(
      ["-c", "export PATH=\"\(path)\" HOME=\"$PWD/home\"\n" + Self.prelude + around + exports + script],
      executable: URL(filePath: "/bin/bash"),
      environment: [
        "PGHOSTADDR": "127.0.0.1", "PGPORT": "\(cluster.port)", "PGPASSWORD": "x", "PGSSLMODE": "disable",
        "AWS_EC2_METADATA_DISABLED": "true", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1",
        "MERGE_ENGINE_CLUSTER_DIRECTORY": ProcessInfo.processInfo.environment["MERGE_ENGINE_CLUSTER_DIRECTORY"]
          ?? "/tmp",
      ]
    )
    return try await program.outcome()
  }

  /// The repository's make, from the folder that the script runs in; the simulator loads without its usual pauses.
  private static let make = """
    cat > bin/make <<'END'
    #!/bin/sh
    exec /usr/bin/make --directory '\(DocumentedScript.repository.path)' "$@"
    END
    chmod +x bin/make
    """
}
