import Libpq
import Spelling

/// Which tables a run takes: each staging table with the production table of its name.
struct TableChoice {
  private let staging: [CatalogTable]
  private let production: [CatalogTable]
  private let stagingSchema: String
  private let productionSchema: String

  /// The tables that are merged.
  private(set) var pairs: [(staging: CatalogTable, production: CatalogTable)] = []
  /// Names that stand for nothing, or only for something of another spelling.
  private(set) var findings: [Finding] = []

  /// - Parameters:
  ///   - staging: the tables of the staging schema, or of a snapshot.
  ///   - production: those of the production schema.
  ///   - names: the tables that were asked for; nil for all that have both sides.
  init(
    staging: [CatalogTable],
    production: [CatalogTable],
    stagingSchema: String,
    productionSchema: String,
    only names: [String]?
  ) {
    self.staging = staging
    self.production = production
    self.stagingSchema = stagingSchema
    self.productionSchema = productionSchema
    let stagingOf = Dictionary(staging.map { ($0.name.name, $0) }) { first, _ in first }
    let productionOf = Dictionary(production.map { ($0.name.name, $0) }) { first, _ in first }
    var seen: Set<Identifier> = []
    for name in names?.map({ Identifier($0) }) ?? staging.map(\.name.name) where seen.insert(name).inserted {
      switch (stagingOf[name], productionOf[name]) {
      case (let staging?, let production?): pairs.append((staging, production))
      case (nil, _): findings.append(.blocker(.notFound, name.name, missingStaging(name)))
      case (_?, nil): findings.append(missingProduction(name, wasNamed: names != nil))
      }
    }
  }

  private func missingStaging(_ name: Identifier) -> String {
    let sentence = "there is no staging table \(stagingSchema).\(name)"
    if let other = Self.sameName(name, in: staging) {
      return "\(sentence), but \(stagingSchema).\(other.quoted). \(rename(other, to: name))"
    }
    let known = (staging + production).map(\.name.name.name)
    return "\(sentence). Make it with init.\(Spelling.question(for: name.name, in: known))"
  }

  /// Nobody loads a table under production's name in another case to have it left out: that is a blocker. Others may be
  /// there for any reason.
  private func missingProduction(_ name: Identifier, wasNamed: Bool) -> Finding {
    let sentence = "\(stagingSchema).\(name) has no table of the same name in \(productionSchema)"
    if let other = Self.sameName(name, in: production) {
      return .blocker(
        .notFound,
        name.name,
        "\(stagingSchema).\(name.quoted) has no table of the same name in \(productionSchema), only \(other.quoted), which "
          + "differs by case. \(rename(name, to: other))"
      )
    }
    let question = Spelling.question(for: name.name, in: production.map(\.name.name.name))
    return wasNamed
      ? .blocker(.notFound, name.name, "\(sentence).\(question)")
      : .warning(.notFound, name.name, "\(sentence): not merged.\(question)")
  }

  private func rename(_ name: Identifier, to other: Identifier) -> String {
    let statement: SQL =
      "ALTER TABLE \(QualifiedName(schema: Identifier(stagingSchema), name: name)) RENAME TO \(other)"
    return "Have DMS load into the other name (the rule action convert-lowercase of its mappings), or rename it: "
      + statement.text + ". Drop an empty table of that name first."
  }

  private static func sameName(_ name: Identifier, in tables: [CatalogTable]) -> Identifier? {
    tables.first { $0.name.name != name && Spelling.isSame($0.name.name.name, name.name) }?.name.name
  }
}
