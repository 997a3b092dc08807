import Libpq
import Spelling

/// Which of a snapshot's tables are of which of the pairs of schemas that a command works on.
///
/// A snapshot of one pair goes to whatever pair is named. Of several each table goes to the pair with the staging schema that it was
/// saved from, whatever the production schema is called by now; those of other pairs are left alone.
struct SnapshotPairs {
  private let manifest: SnapshotManifest
  private let schemas: Schemas

  init(_ manifest: SnapshotManifest, _ schemas: Schemas) {
    self.manifest = manifest
    self.schemas = schemas
  }

  private var goesAnywhere: Bool { !schemas.hasSeveralPairs && !manifest.isOfSeveralPairs }

  /// The pair that a table goes to; nil for none of those that are worked on.
  func schemas(of table: SnapshotManifest.Table) -> Schemas? {
    goesAnywhere ? schemas.each[0] : schemas.each.first { $0.staging == manifest.stagingSchema(of: table) }
  }

  /// - Throws: ``MergeFailure/blocked(_:)`` for a pair that the snapshot has no table of.
  func requireAll() throws(MergeFailure) {
    guard !goesAnywhere else { return }
    let saved = Set(manifest.tables.map(manifest.stagingSchema(of:)))
    let missing = schemas.pairs.filter { !saved.contains($0.staging) }
    guard !missing.isEmpty else { return }
    let known = manifest.pairNames.joined(separator: ", ")
    throw .blocked(
      missing.map { pair in
        .blocker(
          .notFound,
          nil,
          "the snapshot has no table of the staging schema \(pair.staging). It holds \(known): name the right pairs with --pair "
            + "STAGING=PRODUCTION, once for each pair."
        )
      }
    )
  }
}

extension MergeOptions {
  /// A snapshot's tables that are asked for.
  ///
  /// - Throws: ``MergeFailure/blocked(_:)`` for pairs of schemas and tables that it does not hold.
  func tables(of snapshot: Snapshot) throws(MergeFailure) -> [SnapshotManifest.Table] {
    let manifest = snapshot.manifest
    let pairs = SnapshotPairs(manifest, schemas)
    try pairs.requireAll()
    let saved = manifest.tables.map { (table: $0, schemas: pairs.schemas(of: $0)) }
    func names(_ own: Schemas) -> [String] { saved.filter { $0.schemas == own }.map(\.table.name) }
    let each = ofEachPair { own, name in
      let rules = columns.tables["\(own.production).\(name)"] ?? columns.tables[name]
      let staged = rules?.stagingTable ?? name
      return names(own).contains { $0 == staged || columns.foldsCase && Spelling.isSame($0, staged) }
    }
    var findings: [Finding] = []
    var wanted: [SnapshotManifest.Table] = []
    for own in each {
      let known = names(own.schemas)
      let asked = own.namesInStaging(known)
      for name in asked ?? [] where !known.contains(name) {
        let label = schemas.hasSeveralPairs ? "\(own.schemas.production).\(name)" : name
        let all = manifest.tables.map(manifest.label).joined(separator: ", ")
        findings.append(
          .blocker(.notFound, label, "the snapshot \(snapshot.directory.path) has no table \(label). It has: \(all).")
        )
      }
      wanted += saved.filter { $0.schemas == own.schemas && asked?.contains($0.table.name) ?? true }.map(\.table)
    }
    guard findings.isEmpty else { throw .blocked(findings) }
    return wanted
  }
}
