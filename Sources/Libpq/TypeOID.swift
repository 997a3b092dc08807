/// Oids of types that come with the server: the same everywhere, as `pg_type.dat` in its source has them.
package enum TypeOID {
  package static let bool: UInt32 = 16
  package static let bytea: UInt32 = 17
  /// `"char"`, a single byte.
  package static let char: UInt32 = 18
  package static let name: UInt32 = 19
  package static let int8: UInt32 = 20
  package static let int2: UInt32 = 21
  package static let int4: UInt32 = 23
  package static let text: UInt32 = 25
  package static let oid: UInt32 = 26
  package static let tid: UInt32 = 27
  package static let float4: UInt32 = 700
  package static let float8: UInt32 = 701
  package static let money: UInt32 = 790
  package static let macaddr: UInt32 = 829
  package static let inet: UInt32 = 869
  package static let bpchar: UInt32 = 1042
  package static let varchar: UInt32 = 1043
  package static let date: UInt32 = 1082
  package static let time: UInt32 = 1083
  package static let timestamp: UInt32 = 1114
  package static let timestamptz: UInt32 = 1184
  package static let interval: UInt32 = 1186
  package static let timetz: UInt32 = 1266
  package static let bit: UInt32 = 1560
  package static let varbit: UInt32 = 1562
  package static let numeric: UInt32 = 1700
  package static let uuid: UInt32 = 2950
  package static let jsonb: UInt32 = 3802

  package static let dateArray: UInt32 = 1182
  package static let textArray: UInt32 = 1009
  package static let tidArray: UInt32 = 1010
  package static let timestampArray: UInt32 = 1115
  package static let timestamptzArray: UInt32 = 1185
  package static let bpcharArray: UInt32 = 1014
  package static let varcharArray: UInt32 = 1015
  package static let oidArray: UInt32 = 1028
  package static let bitArray: UInt32 = 1561
  package static let varbitArray: UInt32 = 1563

  /// The numbers of tables, types, functions, roles and the like, which are others in every database, and arrays of them:
  /// regproc, regclass, regtype, regrole, regconfig and their kin. As text they are names.
  package static let objectNumbers: Set<UInt32> = [
    24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191,
    1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4090, 4097, 4192,
  ]

  package static let integers: Set<UInt32> = [int2, int4, int8]
  package static let floats: Set<UInt32> = [float4, float8]
  package static let numbers = integers.union(floats).union([numeric])
  package static let timestamps: Set<UInt32> = [timestamp, timestamptz]
  /// timestamptz and timetz, and arrays, ranges and multiranges of timestamptz.
  package static let zonedTimes: Set<UInt32> = [timestamptz, timetz, timestamptzArray, 1270, 3910, 3911, 4534]
  /// date, time and timestamp, and arrays, ranges and multiranges of them.
  package static let zonelessTimes: Set<UInt32> = [
    date, time, timestamp, dateArray, 1183, timestampArray, 3908, 3909, 3912, 3913, 4533, 4535,
  ]
  /// Days, and arrays, ranges and multiranges of them.
  package static let dates: Set<UInt32> = [date, dateArray, 3912, 3913, 4535, 6155]
  /// All of these, and intervals.
  package static let times = zonedTimes.union(zonelessTimes).union([interval, 1187])
  /// Of these the ones with a date in them.
  package static let dated = zonedTimes.union(zonelessTimes).subtracting([time, timetz, 1183, 1270])
  package static let strings: Set<UInt32> = [text, varchar, bpchar]
  /// The binary form is a signed integer whose order is that of the values.
  package static let signedIntegers = integers.union([date, time, timestamp, timestamptz])
  /// The binary form is always of the same length, at most eight bytes.
  package static let shortAndFixed = signedIntegers.union([bool, char, oid])
}
