import Libpq

/// Counts the pages of production that a session's batches visit, and how many of them the server had to read.
///
/// The numbers are the session's own, from its statistics that are not handed over yet: asked for in a statement that is sent
/// anyway, they cost no trip to the server. What the server reads comes from a disk or out of the operating system's memory,
/// which it can't tell apart.
struct PageCounter {
  /// What the session's statistics say of some relations.
  struct Reading {
    let visited: Int
    /// Of these, the ones that were in memory.
    let hit: Int
  }

  /// What `pg_stat_get_xact_blocks_fetched` and `…_hit` say together.
  private var last = PageCounts()

  /// Two outputs: the pages that were visited, and those of them that were there.
  static func outputs(_ relations: [UInt32]) -> SQL {
    let oids = Literal("{" + relations.map(String.init).joined(separator: ",") + "}")
    return """
      (SELECT sum(pg_stat_get_xact_blocks_fetched(r.oid)) FROM unnest(\(oids)::oid[]) AS r (oid))::bigint,
      (SELECT sum(pg_stat_get_xact_blocks_hit(r.oid)) FROM unnest(\(oids)::oid[]) AS r (oid))::bigint
      """
  }

  /// What has come since the last time. The session hands its statistics over about once a second, between two transactions,
  /// and then begins at nothing.
  mutating func advance(to reading: Reading) -> PageCounts {
    let now = PageCounts(visited: reading.visited, read: max(reading.visited - reading.hit, 0))
    defer { last = now }
    guard now.visited >= last.visited, now.read >= last.read else { return now }
    return PageCounts(visited: now.visited - last.visited, read: now.read - last.read)
  }
}

/// Pages of production and its indexes.
public struct PageCounts: Sendable, Hashable {
  /// How often a page was visited.
  public var visited = 0
  /// How often it had to be read first.
  public var read = 0

  /// Which share of the pages had to be read; 0 where none was visited.
  public var readShare: Double { visited > 0 ? Double(read) / Double(visited) : 0 }

  /// What a person should know of a table that is taken to be larger than memory; nil where nothing was counted.
  var coldNote: String? {
    guard visited > 0 else { return nil }
    return "cold: \(Int((100 * readShare).rounded())) % of the pages had to be read from disk or the system's cache"
  }

  static func += (left: inout Self, right: Self) {
    left.visited += right.visited
    left.read += right.read
  }
}
