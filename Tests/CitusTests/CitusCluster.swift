import Foundation
import PrivateCluster
import TestSupport

/// A coordinator without shards and two workers, which know each other by their sockets: nobody asks for a password there.
final class CitusCluster: Sendable {
  let coordinator: PrivateCluster
  let workers: [PrivateCluster]

  /// Citus wants to be the first of what is preloaded, and to commit on several nodes as one.
  private static let settings = [
    "shared_preload_libraries": "citus", "max_connections": "150", "max_prepared_transactions": "150",
    "autovacuum": "off",
    // What a crash leaves prepared is settled a second later, not a minute.
    "citus.recover_2pc_interval": "1s", "citus.shard_count": "8",
    "citus.enable_statistics_collection": "off", "citus.node_conninfo": "sslmode=disable",
  ]

  private init() async throws {
    coordinator = try await TestServer.start(settings: Self.settings)
    workers = [
      try await TestServer.start(settings: Self.settings), try await TestServer.start(settings: Self.settings),
    ]
    // A node that moves a shard connects to itself, by its socket too.
    for node in [coordinator] + workers {
      let database = try TestDatabase(connectionString: node.connectionString())
      try database.run("ALTER SYSTEM SET citus.local_hostname = '\(node.socketDirectory)'")
      try database.run("SELECT pg_reload_conf()")
    }
  }

  private static let started = Task { try await CitusCluster() }

  /// One test at a time: each has the sessions of a merge on three servers.
  private static let turn = Lane(1)

  /// Makes a database on all nodes, runs `body` with the coordinator's, and drops it.
  ///
  /// - Parameter own: on servers that no other test uses, to be stopped and restarted.
  static func withDatabase(own: Bool = false, _ body: (CitusCluster, TestDatabase) async throws -> Void) async throws {
    try await turn.turn {
      let cluster = try await own ? CitusCluster() : started.value
      let name = "test_\(UUID().uuidString.prefix(8).lowercased())"
      let nodes = [cluster.coordinator] + cluster.workers
      for node in nodes {
        try TestDatabase(connectionString: node.connectionString()).run("CREATE DATABASE \(name)")
        try TestDatabase(connectionString: node.connectionString(database: name)).run("CREATE EXTENSION citus")
      }
      let database = try TestDatabase(connectionString: cluster.coordinator.connectionString(database: name))
      try database.run(
        "SELECT citus_set_coordinator_host('\(cluster.coordinator.socketDirectory)', \(cluster.coordinator.port))"
      )
      for worker in cluster.workers {
        try database.run("SELECT citus_add_node('\(worker.socketDirectory)', \(worker.port))")
      }
      let result: Result<Void, any Error>
      do {
        try await body(cluster, database)
        result = .success(())
      } catch {
        result = .failure(error)
      }
      for node in nodes { try drop(name, on: TestDatabase(connectionString: node.connectionString())) }
      if own { for node in nodes { await node.stop() } }
      try result.get()
    }
  }

  /// The server waits five seconds for a database's sessions to end, Citus's own among them: less than a busy machine may need.
  private static func drop(_ name: String, on server: TestDatabase) throws {
    let statement = "DROP DATABASE \(name) WITH (FORCE)"
    for _ in 0..<10 where (try? server.run(statement)) != nil { return }
    try server.run(statement)
  }
}
