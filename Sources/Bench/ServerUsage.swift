import Foundation
import Libpq

/// What a server on this machine has used: CPU time of all its sessions that have ended, parallel workers and all.
///
/// The kernel adds a process's time to its parent's account when the parent has taken note of its end
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, `cutime` and `cstime`), and the parent of a server's processes
/// is the postmaster.
struct ServerUsage {
  private let postmaster: Int

  /// - Returns: nil where it can't be seen: on another machine, or on a system without `/proc`.
  init?(of connection: Connection) throws(PostgresError) {
    let session = try connection.query("SELECT pg_backend_pid()", "looking for the server").integer(0, 0) ?? 0
    // A server elsewhere has numbers of its own, which may be anybody's here.
    guard let status = Self.fields(of: session), status.command == "postgres", let parent = Int(status.rest[1]),
      Self.fields(of: parent)?.command == "postgres"
    else { return nil }
    postmaster = parent
  }

  /// Seconds, user and system time. Waits until the processes that were not there before have ended, for a second at most.
  ///
  /// - Parameter before: ``sessions`` at the beginning.
  func cpuSeconds(whenGone before: Set<Substring>) -> Double {
    for _ in 0..<100 where !sessions.isSubset(of: before) { Thread.sleep(forTimeInterval: 0.01) }
    return cpuSeconds
  }

  /// Seconds of the processes that have ended so far.
  var cpuSeconds: Double {
    guard let rest = Self.fields(of: postmaster)?.rest else { return 0 }
    // Fields 16 and 17; the state, which comes first after the name, is the third.
    return (Double(rest[13]) ?? 0) / Self.ticksPerSecond + (Double(rest[14]) ?? 0) / Self.ticksPerSecond
  }

  /// The numbers of the server's processes.
  var sessions: Set<Substring> {
    let list = try? String(contentsOfFile: "/proc/\(postmaster)/task/\(postmaster)/children", encoding: .utf8)
    return Set((list ?? "").split(separator: " "))
  }

  private static let ticksPerSecond = Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))

  /// - Returns: a process's name, and what `/proc` says of it after that.
  private static func fields(of process: Int) -> (command: Substring, rest: [Substring])? {
    guard let line = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let start = line.firstIndex(of: "("), let end = line.lastIndex(of: ")")
    else { return nil }
    let rest = line[end...].dropFirst().split(separator: " ")
    return rest.count > 14 ? (line[start..<end].dropFirst(), rest) : nil
  }
}
