import Libpq

/// What the cast of a key to production's type may do to it, and the read that refuses a key which it would change.
///
/// A key that is not the same after the cast there and back would be another row's: 1.5 as bigint is row 2's, a double
/// precision beyond 2^53 stands for several whole numbers. The server itself is asked, row by row, in the statement that
/// reads the row; a key that fails fails its row, as a value does that can't be cast at all.
struct KeyCast: Sendable {
  /// True for a key that stays what it is; of staging alias `s`.
  let isKept: SQL
  /// The read of such a key; any other one is an error of the server that names it.
  let guarded: SQL

  /// - Parameters:
  ///   - value: the key in staging, and `cast` the same as production gets it.
  ///   - casts: the pairs of types between which the database has a cast.
  ///   - timeZone: the zone in which times without one are read.
  /// - Returns: nil where no value can change.
  init?(
    _ name: Identifier,
    _ value: SQL,
    cast: SQL,
    from source: CatalogColumn.BaseType,
    to target: CatalogColumn.BaseType,
    casts: Casts,
    timeZone: String
  ) {
    let conversion = Conversion(
      value: value,
      cast: cast,
      source: source,
      target: target,
      casts: casts,
      timeZone: timeZone
    )
    guard let condition = conversion.condition else { return nil }
    isKept = condition
    let refusal = Self.refusal([
      "\(Literal("the key \(name.name) "))", "\(value)::text", "' would become '", "(\(cast))::text",
      "\(Literal(" by the cast to \(target.fullName.text)"))",
    ])
    guarded = "CASE WHEN \(value) IS NULL OR (\(condition)) THEN \(cast) WHEN \(refusal) THEN NULL END"
  }

  /// A condition that fails whatever row it is asked for, with a message of our own: an integer that is no number is the one way to
  /// have the server say that. By the type's own input, since somebody may have made a cast that takes any text.
  static func refusal(_ message: [SQL]) -> SQL {
    "int4in(textout(concat(\(Literal(marker)), \(message.joined(", "))))) IS NULL"
  }

  private static let marker = "merge-engine: "

  /// The error with our own words, if it is one of ours: the server takes them for an integer that it can't read, and says so in
  /// whatever language it speaks.
  static func explained(_ error: PostgresError) -> PostgresError {
    guard let start = error.message.firstRange(of: marker)?.upperBound,
      let end = error.message.lastIndex(of: "\""), start < end
    else { return error }
    var explained = error
    explained.message = String(error.message[start..<end])
    return explained
  }
}

/// The ways in which a cast may change a value, by its types.
private struct Conversion {
  let value: SQL
  let cast: SQL
  let source: CatalogColumn.BaseType
  let target: CatalogColumn.BaseType
  let casts: Casts
  let timeZone: String

  var condition: SQL? {
    if trimsBlanks { return "(\(cast))::text = format('%s', \(value))" }
    if source.oid == target.oid { return sameTypeCondition }
    // As Oracle has them; any other number would stand for true as well.
    if target.oid == TypeOID.bool, TypeOID.numbers.contains(source.oid) { return "(\(value) = 0 OR \(value) = 1)" }
    if TypeOID.floats.contains(source.oid), target.oid != TypeOID.float8 {
      return [wholeNumberCondition, backCondition].compactMap(\.self).joined(" AND ")
    }
    if TypeOID.strings.contains(source.oid) {
      let conditions = [castIsMade ? sameTextCondition : nil, textCondition].compactMap(\.self)
      return conditions.isEmpty ? nil : conditions.joined(" AND ")
    }
    // Whatever type it is, its text stands for it.
    if TypeOID.strings.contains(target.oid) { return castIsMade ? sameTextCondition : nil }
    return backCondition
  }

  private var castIsMade: Bool { casts.isMade(from: source.oid, to: target.oid) }

  /// By what the types themselves write, and no cast.
  private var sameTextCondition: SQL { "format('%s', \(cast)) = format('%s', \(value))" }

  /// Assignment to varchar(n) leaves blanks behind the limit out, by which one string differs from another there. To char(n) blanks at
  /// the end are nothing; what is too long otherwise is refused by the write.
  private var trimsBlanks: Bool {
    switch target.oid {
    case TypeOID.varchar:
      guard let limit = target.characterLimit, TypeOID.strings.union([TypeOID.name]).contains(source.oid) else {
        return false
      }
      return source.characterLimit.map { $0 > limit } ?? true
    case TypeOID.varcharArray:
      guard let limit = target.elementCharacterLimit else { return false }
      return source.elementCharacterLimit.map { $0 > limit } ?? true
    default: return false
    }
  }

  /// Rounded to the modifier. What only is too long is refused by the write.
  private var sameTypeCondition: SQL? {
    guard target.modifier >= 0, source.modifier != target.modifier, !target.castTruncates else { return nil }
    return isSame(value, cast, as: source)
  }

  /// A text is read by the target's own input, and what that can't read it refuses. But it may leave something out: a date the
  /// time of day, a time what is less than a microsecond, a float digits, a modifier what is beyond it.
  private var textCondition: SQL? {
    let conditions = [untimedCondition, microsecondCondition, readCondition].compactMap(\.self)
    return conditions.isEmpty ? nil : conditions.map { "(\($0))" as SQL }.joined(" AND ")
  }

  /// Arrays and ranges of dates whose texts have a time of day.
  private var untimedCondition: SQL? {
    TypeOID.dates.contains(target.oid) && target.oid != TypeOID.date ? "\(value)::text !~ ':'" : nil
  }

  /// There is no type in which such a fraction could be compared.
  private var microsecondCondition: SQL? {
    guard TypeOID.times.subtracting(TypeOID.dates).contains(target.oid) else { return nil }
    return "\(value)::text !~ '[.][0-9]{6}[0-9]*[1-9]'"
  }

  private var readCondition: SQL? {
    if target.oid == TypeOID.name || target.oid == TypeOID.char { return "(\(cast))::text = \(value)::text" }
    if target.oid == TypeOID.date {
      // A date may lie beyond what a timestamp can hold.
      return "CASE WHEN \(value)::text = (\(cast))::text THEN true ELSE \(value)::timestamp = (\(cast))::timestamp END"
    }
    if TypeOID.floats.contains(target.oid) {
      // The cast to numeric keeps 15 digits, a text all that tell a number from its neighbours.
      return "(\(value)::numeric = (\(cast))::numeric OR \(value)::numeric = (\(cast))::text::numeric)"
    }
    guard target.modifier >= 0, !target.castTruncates, !TypeOID.strings.contains(target.oid) else { return nil }
    let read =
      target.oid == TypeOID.timestamptz
      ? ZonedCast(zone: timeZone).bound(value, as: target) : "\(value)::\(target.plainName)"
    return isSame(read, cast, as: target)
  }

  /// Beyond this a float has no place for every whole number. What is no number stands for nothing else; a type that lacks it says so.
  private var wholeNumberCondition: SQL? {
    guard target.oid != TypeOID.float4 else { return nil }
    let limit = source.oid == TypeOID.float8 ? 1 << 53 : 1 << 24
    return """
      (\(value) > \(Literal("-\(limit)"))::float8 AND \(value) < \(Literal("\(limit)"))::float8
       OR \(value)::float8 IN ('NaN', 'Infinity', '-Infinity'))
      """
  }

  /// There and back.
  private var backCondition: SQL {
    if source.oid == TypeOID.timestamptz, target.oid == TypeOID.timestamp || target.oid == TypeOID.date {
      return "((\(cast))::timestamp AT TIME ZONE \(Literal(timeZone))) = \(value)"
    }
    if target.oid == TypeOID.timestamptz, source.oid == TypeOID.timestamp || source.oid == TypeOID.date {
      return "((\(cast)) AT TIME ZONE \(Literal(timeZone)))::\(source.plainName) = \(value)"
    }
    guard casts.exists(from: target.oid, to: source.oid) else {
      return "(\(cast))::text = \(value)::text"
    }
    return isSame("(\(cast))::\(source.plainName)", value, as: source)
  }

  /// Compared by the type's own equality where it comes with the server, else as text.
  private func isSame(_ left: SQL, _ right: SQL, as type: CatalogColumn.BaseType) -> SQL {
    Self.comparable.contains(type.oid)
      ? "(\(left)) = (\(right))" : "(\(left))::text = (\(right))::text"
  }

  private static let comparable = TypeOID.integers.union(TypeOID.floats).union(TypeOID.timestamps)
    .union([
      TypeOID.numeric, TypeOID.date, TypeOID.time, TypeOID.timetz, TypeOID.bool, TypeOID.uuid, TypeOID.bytea,
      TypeOID.oid,
    ])
}
