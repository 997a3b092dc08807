import Libpq
import PrivateCluster

/// The one server that all tests of the process share; it goes away with the process.
enum TestCluster {
  /// Superuser settings that a test server needs and a throw-away server does not have.
  private static let settings = ["max_connections": "150", "deadlock_timeout": "100ms", "autovacuum": "off"]

  private static let started = Task { try await PrivateCluster.start(ClusterOptions(settings: settings)) }

  /// The server, started by whoever asks first.
  static func shared() async throws -> PrivateCluster { try await started.value }

  /// So many databases at a time. Swift Testing starts all tests at once; this many keep two cores busy.
  static let slots = Slots(2)
}

/// A number of places, given to whoever waits longest.
actor Slots {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) {
    free = count
  }

  func take() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func give() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }
}
