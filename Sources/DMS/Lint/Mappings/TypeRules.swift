import Spelling

/// Values that change on their way: NUMBER and timestamps against the staging columns, and types that rules change.
enum TypeRules {
  static func check(_ document: MappingView, _ schema: KnownSchema?, into found: inout FindingList) {
    let names = TargetNames(document)
    for rule in document.transformations { checkDataType(rule, names, schema: schema, into: &found) }
    guard let schema else { return }
    for rule in document.includes {
      guard let place = rule.table, let schemaName = rule.schema?.text, let name = place.text,
        let table = schema.table(meantBy: names.table(schemaName, name), in: names.schema(schemaName))
      else { continue }
      for column in table.columns { checkColumn(column, of: table, at: place, &found) }
    }
  }

  // MARK: - Types in rules

  private static func checkDataType(
    _ rule: RuleView,
    _ names: TargetNames,
    schema: KnownSchema?,
    into found: inout FindingList
  ) {
    guard let type = rule.cursor["data-type"], let place = type["type"], let name = place.text else { return }
    guard MappingVocabulary.dataTypes.contains(name) else {
      let meant = Spelling.closest(to: name, in: MappingVocabulary.dataTypes).map { "write \"\($0)\"" }
      found.add(
        .unknownDataType,
        at: place,
        "DMS has no data type \"\(name)\"",
        advice: meant ?? "use \(Spelling.list(MappingVocabulary.dataTypes))"
      )
      return
    }
    if rule.knownAction == .changeDataType {
      found.add(
        .needlessDataType,
        at: rule.action ?? rule.cursor,
        "an existing table keeps its own column type, so this rule does nothing",
        advice: "remove the rule unless DMS makes the tables; it also keeps the column's name from being lower-cased"
      )
    }
    if name == "datetime" { checkDatetime(type, &found) }
    if name == "numeric" { checkNumeric(type, rule, names: names, schema: schema, into: &found) }
  }

  private static func checkDatetime(_ type: Cursor, _ found: inout FindingList) {
    for key in ["precision", "scale"] {
      guard let place = type[key], let digits = place.text.flatMap({ Int($0) }), digits != 6 else { continue }
      let effect =
        digits > 6
        ? "more than 6 decimals make the column VARCHAR(37) on PostgreSQL"
        : "fewer than 6 decimals truncate the times, so rows look older than they are and newer ones can be missed"
      found.add(.timestampPrecision, at: place, "\"\(key)\": \(digits) for a datetime: \(effect)", advice: "write 6")
      return
    }
  }

  private static func checkNumeric(
    _ type: Cursor,
    _ rule: RuleView,
    names: TargetNames,
    schema: KnownSchema?,
    into found: inout FindingList
  ) {
    let precision = type["precision"]?.text.flatMap { Int($0) }
    let scale = type["scale"]?.text.flatMap { Int($0) } ?? 0
    guard let precision else { return }
    if scale > precision, let place = type["scale"] {
      found.add(
        .numberPrecision,
        at: place,
        "a scale of \(scale) in a number of \(precision) digits leaves no room before the decimal point",
        advice: "write the scale and precision of the staging column"
      )
    }
    guard let schemaName = rule.schema?.text, let tableName = rule.table?.text, let columnName = rule.column?.text,
      let table = schema?.table(meantBy: names.table(schemaName, tableName), in: names.schema(schemaName)),
      let column = table.columns.first(where: { $0.name.lowercased() == columnName.lowercased() })
    else { return }
    let staging = PostgresType(column.type)
    guard staging.name == "numeric", let digits = staging.numbers.first else { return }
    let decimals = staging.numbers.dropFirst().first ?? 0
    guard scale < decimals || precision - scale < digits - decimals else { return }
    found.add(
      .numberPrecision,
      at: type,
      "the rule transfers numeric(\(precision),\(scale)), but \(table.name).\(column.name) is \(column.type): digits can be lost "
        + "before they arrive",
      advice: "write the precision and scale of the column, or remove the rule"
    )
  }

  // MARK: - Staging columns

  private static func checkColumn(
    _ column: KnownSchema.Column,
    of table: KnownSchema.Table,
    at place: Cursor,
    _ found: inout FindingList
  ) {
    let label = "\(table.fullName).\(column.name)"
    let staging = PostgresType(column.type)
    let source = column.sourceType.map(OracleType.init)
    if let source, source.isUnsupported {
      found.add(
        .unsupportedSourceType,
        at: place,
        "\(label) is \(source.name) on the source, which DMS does not support: the column arrives as NULL",
        advice: "leave the column out of the merge, or read it through a view that converts it"
      )
      return
    }
    if let (trap, advice) = NumberTraps.trap(source, staging, isKey: column.isKey == true) {
      found.add(.numberPrecision, at: place, "\(label) is \(column.type): \(trap)", advice: advice)
    }
    if let (trap, advice) = TimestampTraps.trap(source, staging) {
      found.add(.timestampPrecision, at: place, "\(label) is \(column.type): \(trap)", advice: advice)
    }
  }
}
