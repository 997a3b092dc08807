import Foundation

/// What a bench found out; encodes as its JSON.
package struct BenchReport: Sendable, Encodable {
  /// When it began.
  package let startedAt: Date
  /// Wall clock of everything, loading included.
  package let elapsedSeconds: Double
  /// What was asked for.
  package let parameters: BenchParameters
  /// The engine's version.
  package let engineVersion: String
  /// The server that it ran on.
  package let server: Server
  /// The machine of the client.
  package let machine: Machine
  /// One entry a workload.
  package let workloads: [WorkloadReport]

  /// Whether every contender left production as it must be.
  package var isRight: Bool { workloads.allSatisfy { $0.contenders.allSatisfy(\.isRight) } }

  /// The server, as far as it matters to its speed.
  package struct Server: Sendable, Codable {
    /// As the server says it.
    package let version: String
    /// Settings that decide about speed.
    package let settings: [String: String]
  }

  /// The machine of the client.
  package struct Machine: Sendable, Codable {
    /// The processor's model, where the system tells it.
    package let processor: String?
    /// Processor cores.
    package let cores: Int
    /// Main memory.
    package let memoryBytes: UInt64
    /// The operating system.
    package let system: String

    private enum CodingKeys: String, CodingKey {
      case processor, cores
      case memoryBytes = "memory_bytes"
      case system
    }

    static var this: Machine {
      let process = ProcessInfo.processInfo
      return Machine(
        processor: processorModel,
        cores: process.processorCount,
        memoryBytes: process.physicalMemory,
        system: process.operatingSystemVersionString
      )
    }

    private static var processorModel: String? {
      guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("model name") })
      else { return nil }
      return line.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  private enum CodingKeys: String, CodingKey {
    case startedAt = "started_at"
    case elapsedSeconds = "elapsed_seconds"
    case rowCount = "rows"
    case parameters
    case engineVersion = "engine_version"
    case server, machine, workloads
  }

  /// The report with its times in UTC, ISO 8601.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(startedAt.formatted(.iso8601), forKey: .startedAt)
    try container.encode(elapsedSeconds, forKey: .elapsedSeconds)
    try container.encode(parameters.rowCount, forKey: .rowCount)
    try container.encode(parameters, forKey: .parameters)
    try container.encode(engineVersion, forKey: .engineVersion)
    try container.encode(server, forKey: .server)
    try container.encode(machine, forKey: .machine)
    try container.encode(workloads, forKey: .workloads)
  }
}
