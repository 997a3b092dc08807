import Libpq

/// How staging's values of one column are read for production's: in which form they travel, and by which cast.
struct ColumnReading {
  /// Production's column.
  let target: CatalogColumn
  /// Staging's; nil where it is production's own type.
  let source: CatalogColumn?
  let isKey: Bool
  /// Staging is in another database.
  let isSplit: Bool
  /// Of times without one.
  let timeZone: String
  /// Between which types production's database has casts, and staging's.
  let casts: Casts
  let stagingCasts: Casts

  var travel: CatalogColumn.Travel { isReadByProduction ? .text : target.travel }

  /// Of a key column what its cast may change; nil where production reads the value itself.
  var keyCast: KeyCast? {
    guard isKey, travel == .binary, let source else { return nil }
    return KeyCast(
      target.name,
      "s.\(source.nameInTable)",
      cast: expression(isCompared: true),
      from: source.baseType,
      to: target.baseType,
      casts: casts,
      timeZone: timeZone
    )
  }

  /// Why the values would be read as others: they travel as text, or their keys are looked up as text, and somebody has made a cast that
  /// takes the place of what the type itself writes or reads.
  var obstacle: String? {
    let isText = travel == .text || isKey && target.baseType.arrayOid == 0
    let staged = source?.baseType ?? target.baseType
    // The guard of a key compares texts.
    let isGuarded =
      casts.isMade(from: staged.oid, to: target.baseType.oid)
      && TypeOID.strings.isDisjoint(with: [staged.oid, target.baseType.oid])
    guard isText || isKey && isGuarded else { return nil }
    let type =
      casts.areMade(betweenTextAnd: target.baseType.oid)
      ? target.baseType : stagingCasts.areMade(betweenTextAnd: staged.oid) ? staged : nil
    return type.map { type in
      "its column \(target.name) is read as text, and a cast that somebody has made between text and \(type.plainName.text) (CREATE CAST) would make "
        + "other values of it. DROP CAST, or list the column under ignore_columns"
    }
  }

  /// The values come as text, and production's type reads them: another database may not know it, and a cast would cut elements that
  /// are too long, where reading them refuses them. A key has to survive its cast anyway (``KeyCast``).
  private var isReadByProduction: Bool {
    if isSplit && !target.baseType.meansSameElsewhere { return true }
    guard target.baseType.castTruncatesElements, let source, !isKey else { return false }
    return source.baseType.oid != target.baseType.oid
  }

  /// What the read selects for a column: the staging value, cast where production has another type.
  ///
  /// The cast goes through the modifier too: a version has to be compared as it will be stored, rounded.
  ///
  /// - Parameter isCompared: it is compared with production's value, and so has to be what assignment makes of it.
  func expression(isCompared: Bool) -> SQL {
    guard let source else { return "s.\(target.name)" }
    let value: SQL = "s.\(source.nameInTable)"
    // Elements become texts by their own cast, which need not write them as their type does.
    if isReadByProduction { return target.baseType.plainElements.map { "\(value)::\($0)::text" } ?? "\(value)::text" }
    let type = target.baseType
    let sameType = source.baseType.oid == type.oid
    let sameModifier = source.baseType.modifier == type.modifier || type.modifier < 0
    var cast = value
    if let zoned = ZonedCast(zone: timeZone).cast(value, from: source.baseType, to: type) {
      cast = zoned
    } else if type.oid == TypeOID.bool, TypeOID.numbers.contains(source.baseType.oid) {
      // The server casts only integer. Oracle has no boolean, and DMS makes smallint or numeric of its NUMBER(1).
      cast = "(\(value) <> 0)"
    } else if !sameType || !sameModifier {
      // Storing refuses what is too long, casting would cut it: such lengths are left to the write, or to what it would make.
      if type.castTruncates, !(type.oid == TypeOID.bit && TypeOID.integers.contains(source.baseType.oid)) {
        cast = sameType ? value : "\(value)::\(type.plainName)"
        if isCompared { cast = type.asAssigned(cast, from: source.baseType) }
      } else {
        cast = "\(value)::\(type.fullName)"
      }
    }
    if let collation = collation(for: type, from: source.baseType) { cast = "(\(cast)) COLLATE \(collation)" }
    return travel == .text ? "(\(cast))::text" : cast
  }

  /// The collation under which staging's strings are read, where they have one of their own: it would win over the database's default,
  /// which most columns of production have, and take strings for equal that are not there.
  ///
  /// - Returns: nil where the two sides agree, or production's own wins.
  private func collation(for target: CatalogColumn.BaseType, from source: CatalogColumn.BaseType) -> SQL? {
    guard TypeOID.strings.contains(target.oid), TypeOID.strings.contains(source.oid),
      let own = source.declaredCollation, own.text != target.declaredCollation?.text
    else { return nil }
    // Another database need not have production's; by the default strings are equal as by every deterministic one.
    guard isSplit, target.declaredCollation != nil else { return target.declaredCollation ?? "pg_catalog.\"default\"" }
    return target.nonDeterministicCollation == nil ? "pg_catalog.\"default\"" : nil
  }
}
