import Foundation
import PrivateCluster
import TestSupport
import Testing

/// However the owning process ends, server and folder vanish. The owners are child processes (exit tests).
@Suite(.inTurn) struct OwnerEndTests {
  /// Starts a cluster, checks that it answers, and tells the parent what to look for.
  private static func announce(_ cluster: PrivateCluster) async throws {
    guard try await psql(cluster, "SELECT 1") == "1" else { exit(3) }
    let line = try Traces(of: cluster).line + "\n"
    try FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
  }

  /// Finds the announcement in the child's output and expects what it names to vanish.
  private func expectNothingLeft(of result: ExitTest.Result?) async throws {
    let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let traces = try #require(output.split(separator: "\n").compactMap { Traces(line: String($0)) }.first)
    #expect(traces.serverProcessID > 0)
    #expect(try await traces.vanish())
  }

  @Test func `nothing is left when the owner is killed`() async throws {
    let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
      try await Self.announce(PrivateCluster.start())
      raise(SIGKILL)
    }
    try await expectNothingLeft(of: result)
  }

  @Test func `nothing is left after Ctrl-C`() async throws {
    let result = await #expect(processExitsWith: .signal(SIGINT), observing: [\.standardOutputContent]) {
      signal(SIGINT, SIG_DFL)
      try await Self.announce(PrivateCluster.start())
      // To the process, not with raise: Swift's worker threads block signals.
      kill(getpid(), SIGINT)
      try await Task.sleep(for: .seconds(60))
    }
    try await expectNothingLeft(of: result)
  }

  @Test func `nothing is left when the owner exits without stopping`() async throws {
    let result = await #expect(processExitsWith: .exitCode(9), observing: [\.standardOutputContent]) {
      let cluster = try await PrivateCluster.start()
      try await Self.announce(cluster)
      exit(9)
    }
    try await expectNothingLeft(of: result)
  }

  @Test func `an owner killed while other children of his live on is cleaned up after`() async throws {
    let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]) {
      let cluster = try await PrivateCluster.start()
      let other = try await PrivateCluster.start()
      // A child that outlives us, started after the clusters: were a pipe inherited, it would hold it for a minute.
      let child = Process()
      child.executableURL = URL(fileURLWithPath: "/bin/sleep")
      child.arguments = ["60"]
      child.standardOutput = FileHandle.nullDevice
      child.standardError = FileHandle.nullDevice
      try child.run()
      print("child\t\(child.processIdentifier)")
      fflush(nil)
      try await Self.announce(cluster)
      withExtendedLifetime(other) { _ = raise(SIGKILL) }
    }
    try await expectNothingLeft(of: result)
    let output = String(decoding: try #require(result).standardOutputContent, as: UTF8.self)
    let child = try #require(output.firstMatch(of: /child\t([0-9]+)/).flatMap { Int32($0.1) })
    #expect(kill(child, SIGKILL) == 0, "the child was to outlive its owner")
  }

  @Test func `works for an ordinary user, whoever runs the tests`() async throws {
    let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardOutputContent]) {
      if geteuid() == 0 {
        guard setgid(65534) == 0, setuid(65534) == 0 else { exit(4) }
      }
      guard geteuid() != 0 else { exit(5) }
      let cluster = try await PrivateCluster.start()
      try await Self.announce(cluster)
      let owner = try FileManager.default.attributesOfItem(atPath: cluster.directory)[.ownerAccountID] as? UInt32
      guard owner == geteuid() else { exit(6) }
      await cluster.stop()
    }
    try await expectNothingLeft(of: result)
  }
}
