// y = x (*) weight + bias, and ReLU on request: 3 x 3, stride 1, zero padding 1, by direct sums in f32.
// x: [B, C, H, W]; weight: [O, C, 3, 3] (TRANSPOSED: [C, 3, 3, O]); bias: [O]; y: [B, O, H, W].
// `pad` first copies x into planes with a border of zeros, wide enough for whole tiles, so that the loop
// needs no tests. In `forward` an invocation computes 4 output channels, LANES apart, of a tile of 7 rows x
// 7 columns, in named registers; the LANES invocations beside it compute the channels between, TILES such groups
// are a workgroup. Why this shape: on a CPU adapter every element loaded from a buffer costs about as
// much as three vector multiply-adds, whatever the address; 117 elements serve 1764 multiply-adds here, and
// each sum is loaded and stored once for nine of them. On a GPU the pixels are the same for a whole warp
// and the transposed weights of neighbours are neighbours. The sums run over channels, then over the
// taps row by row. Dispatch (ceil(tiles / TILES), ceil(O / (4 LANES)), B).

const LANES: u32 = 8u;
const TILES: u32 = 1u;
const TRANSPOSED: bool = false;
const RELU: bool = false;

// Storage type of the weights: f32 or f16.
alias Weight = f32;

// needs linear-index.wgsl

struct Params {
  in_channels: u32,
  out_channels: u32,
  height: u32,
  width: u32,
  padded_height: u32,
  padded_width: u32,
  tile_columns: u32, // tiles in a row of tiles
  planes: u32,       // images times in_channels
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> padding: array<f32>; // what `pad` writes and `forward` reads
@group(0) @binding(3) var<storage, read> padded: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<Weight>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

// A workgroup computes one line of the padded planes: divisions, expensive on a CPU adapter, are done once a line.
@compute @workgroup_size(32)
fn pad(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
       @builtin(local_invocation_index) lane: u32) {
  let line = linear_group(group, groups);
  let row = line % params.padded_height;
  let plane = line / params.padded_height;
  if plane >= params.planes { return; }
  let inside = row >= 1u && row <= params.height;
  let source = (plane * params.height + row - 1u) * params.width - 1u;
  for (var column = lane; column < params.padded_width; column += 32u) {
    var value = 0.0;
    if inside && column >= 1u && column <= params.width { value = x[source + column]; }
    padding[line * params.padded_width + column] = value;
  }
}

/** The taps of one input channel, each for four output channels. */
struct Taps9 {
  t00: vec4f, t01: vec4f, t02: vec4f,
  t10: vec4f, t11: vec4f, t12: vec4f,
  t20: vec4f, t21: vec4f, t22: vec4f,
}

fn four_weights(o: vec4u, channel: u32, tap: u32) -> vec4f {
  if TRANSPOSED {
    let i = (channel * 9u + tap) * params.out_channels;
    return vec4f(f32(weight[i + o.x]), f32(weight[i + o.y]), f32(weight[i + o.z]), f32(weight[i + o.w]));
  }
  let i = (o * params.in_channels + channel) * 9u + tap;
  return vec4f(f32(weight[i.x]), f32(weight[i.y]), f32(weight[i.z]), f32(weight[i.w]));
}

fn nine_weights(o: vec4u, channel: u32) -> Taps9 {
  return Taps9(
    four_weights(o, channel, 0u), four_weights(o, channel, 1u), four_weights(o, channel, 2u),
    four_weights(o, channel, 3u), four_weights(o, channel, 4u), four_weights(o, channel, 5u),
    four_weights(o, channel, 6u), four_weights(o, channel, 7u), four_weights(o, channel, 8u),
  );
}

/** sum + the taps times the nine pixels around one position. */
fn nine(
  sum: vec4f, w: Taps9,
  x00: f32, x01: f32, x02: f32, x10: f32, x11: f32, x12: f32, x20: f32, x21: f32, x22: f32,
) -> vec4f {
  var s = fma(w.t00, vec4f(x00), sum);
  s = fma(w.t01, vec4f(x01), s);
  s = fma(w.t02, vec4f(x02), s);
  s = fma(w.t10, vec4f(x10), s);
  s = fma(w.t11, vec4f(x11), s);
  s = fma(w.t12, vec4f(x12), s);
  s = fma(w.t20, vec4f(x20), s);
  s = fma(w.t21, vec4f(x21), s);
  return fma(w.t22, vec4f(x22), s);
}

/** Writes the four channels of one position, where they exist. */
fn finish(first: u32, image: u32, row: u32, column: u32, sum: vec4f) {
  if row >= params.height || column >= params.width { return; }
  let plane = params.height * params.width;
  let i = (image * params.out_channels + first) * plane + row * params.width + column;
  let s = select(sum, vec4f(), (sum < vec4f()) & vec4<bool>(RELU)); // keeps NaN
  if first < params.out_channels { y[i] = s.x; }
  if first + LANES < params.out_channels { y[i + LANES * plane] = s.y; }
  if first + 2u * LANES < params.out_channels { y[i + 2u * LANES * plane] = s.z; }
  if first + 3u * LANES < params.out_channels { y[i + 3u * LANES * plane] = s.w; }
}


@compute @workgroup_size(LANES * TILES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) invocation: u32) {
  let lane = invocation % LANES;
  let tile = group.x * TILES + invocation / LANES;
  let row = tile / params.tile_columns * 7u;
  let column = tile % params.tile_columns * 7u;
  if row >= params.height { return; }
  let first = group.y * (4u * LANES) + lane;
  let last = params.out_channels - 1u;
  let o = min(vec4u(first, first + LANES, first + 2u * LANES, first + 3u * LANES), vec4u(last));
  let plane = params.padded_height * params.padded_width;
  let line = params.padded_width;
  var at = group.z * params.in_channels * plane + row * line + column;

  // p12: the four channels' sums for row 1, column 2 of the tile.
  var p00 = vec4f(); var p01 = vec4f(); var p02 = vec4f(); var p03 = vec4f();
  var p04 = vec4f(); var p05 = vec4f(); var p06 = vec4f();
  var p10 = vec4f(); var p11 = vec4f(); var p12 = vec4f(); var p13 = vec4f();
  var p14 = vec4f(); var p15 = vec4f(); var p16 = vec4f();
  var p20 = vec4f(); var p21 = vec4f(); var p22 = vec4f(); var p23 = vec4f();
  var p24 = vec4f(); var p25 = vec4f(); var p26 = vec4f();
  var p30 = vec4f(); var p31 = vec4f(); var p32 = vec4f(); var p33 = vec4f();
  var p34 = vec4f(); var p35 = vec4f(); var p36 = vec4f();
  var p40 = vec4f(); var p41 = vec4f(); var p42 = vec4f(); var p43 = vec4f();
  var p44 = vec4f(); var p45 = vec4f(); var p46 = vec4f();
  var p50 = vec4f(); var p51 = vec4f(); var p52 = vec4f(); var p53 = vec4f();
  var p54 = vec4f(); var p55 = vec4f(); var p56 = vec4f();
  var p60 = vec4f(); var p61 = vec4f(); var p62 = vec4f(); var p63 = vec4f();
  var p64 = vec4f(); var p65 = vec4f(); var p66 = vec4f();
  for (var channel = 0u; channel < params.in_channels; channel++) {
    let w = nine_weights(o, channel);
    let i0 = at;
    let i1 = i0 + line;
    let i2 = i1 + line;
    let i3 = i2 + line;
    let i4 = i3 + line;
    let i5 = i4 + line;
    let i6 = i5 + line;
    let i7 = i6 + line;
    let i8 = i7 + line;
    let x00 = padded[i0]; let x01 = padded[i0 + 1u]; let x02 = padded[i0 + 2u];
    let x03 = padded[i0 + 3u]; let x04 = padded[i0 + 4u]; let x05 = padded[i0 + 5u];
    let x06 = padded[i0 + 6u]; let x07 = padded[i0 + 7u]; let x08 = padded[i0 + 8u];
    let x10 = padded[i1]; let x11 = padded[i1 + 1u]; let x12 = padded[i1 + 2u];
    let x13 = padded[i1 + 3u]; let x14 = padded[i1 + 4u]; let x15 = padded[i1 + 5u];
    let x16 = padded[i1 + 6u]; let x17 = padded[i1 + 7u]; let x18 = padded[i1 + 8u];
    let x20 = padded[i2]; let x21 = padded[i2 + 1u]; let x22 = padded[i2 + 2u];
    let x23 = padded[i2 + 3u]; let x24 = padded[i2 + 4u]; let x25 = padded[i2 + 5u];
    let x26 = padded[i2 + 6u]; let x27 = padded[i2 + 7u]; let x28 = padded[i2 + 8u];
    let x30 = padded[i3]; let x31 = padded[i3 + 1u]; let x32 = padded[i3 + 2u];
    let x33 = padded[i3 + 3u]; let x34 = padded[i3 + 4u]; let x35 = padded[i3 + 5u];
    let x36 = padded[i3 + 6u]; let x37 = padded[i3 + 7u]; let x38 = padded[i3 + 8u];
    let x40 = padded[i4]; let x41 = padded[i4 + 1u]; let x42 = padded[i4 + 2u];
    let x43 = padded[i4 + 3u]; let x44 = padded[i4 + 4u]; let x45 = padded[i4 + 5u];
    let x46 = padded[i4 + 6u]; let x47 = padded[i4 + 7u]; let x48 = padded[i4 + 8u];
    let x50 = padded[i5]; let x51 = padded[i5 + 1u]; let x52 = padded[i5 + 2u];
    let x53 = padded[i5 + 3u]; let x54 = padded[i5 + 4u]; let x55 = padded[i5 + 5u];
    let x56 = padded[i5 + 6u]; let x57 = padded[i5 + 7u]; let x58 = padded[i5 + 8u];
    let x60 = padded[i6]; let x61 = padded[i6 + 1u]; let x62 = padded[i6 + 2u];
    let x63 = padded[i6 + 3u]; let x64 = padded[i6 + 4u]; let x65 = padded[i6 + 5u];
    let x66 = padded[i6 + 6u]; let x67 = padded[i6 + 7u]; let x68 = padded[i6 + 8u];
    let x70 = padded[i7]; let x71 = padded[i7 + 1u]; let x72 = padded[i7 + 2u];
    let x73 = padded[i7 + 3u]; let x74 = padded[i7 + 4u]; let x75 = padded[i7 + 5u];
    let x76 = padded[i7 + 6u]; let x77 = padded[i7 + 7u]; let x78 = padded[i7 + 8u];
    let x80 = padded[i8]; let x81 = padded[i8 + 1u]; let x82 = padded[i8 + 2u];
    let x83 = padded[i8 + 3u]; let x84 = padded[i8 + 4u]; let x85 = padded[i8 + 5u];
    let x86 = padded[i8 + 6u]; let x87 = padded[i8 + 7u]; let x88 = padded[i8 + 8u];
    p00 = nine(p00, w, x00, x01, x02, x10, x11, x12, x20, x21, x22);
    p01 = nine(p01, w, x01, x02, x03, x11, x12, x13, x21, x22, x23);
    p02 = nine(p02, w, x02, x03, x04, x12, x13, x14, x22, x23, x24);
    p03 = nine(p03, w, x03, x04, x05, x13, x14, x15, x23, x24, x25);
    p04 = nine(p04, w, x04, x05, x06, x14, x15, x16, x24, x25, x26);
    p05 = nine(p05, w, x05, x06, x07, x15, x16, x17, x25, x26, x27);
    p06 = nine(p06, w, x06, x07, x08, x16, x17, x18, x26, x27, x28);
    p10 = nine(p10, w, x10, x11, x12, x20, x21, x22, x30, x31, x32);
    p11 = nine(p11, w, x11, x12, x13, x21, x22, x23, x31, x32, x33);
    p12 = nine(p12, w, x12, x13, x14, x22, x23, x24, x32, x33, x34);
    p13 = nine(p13, w, x13, x14, x15, x23, x24, x25, x33, x34, x35);
    p14 = nine(p14, w, x14, x15, x16, x24, x25, x26, x34, x35, x36);
    p15 = nine(p15, w, x15, x16, x17, x25, x26, x27, x35, x36, x37);
    p16 = nine(p16, w, x16, x17, x18, x26, x27, x28, x36, x37, x38);
    p20 = nine(p20, w, x20, x21, x22, x30, x31, x32, x40, x41, x42);
    p21 = nine(p21, w, x21, x22, x23, x31, x32, x33, x41, x42, x43);
    p22 = nine(p22, w, x22, x23, x24, x32, x33, x34, x42, x43, x44);
    p23 = nine(p23, w, x23, x24, x25, x33, x34, x35, x43, x44, x45);
    p24 = nine(p24, w, x24, x25, x26, x34, x35, x36, x44, x45, x46);
    p25 = nine(p25, w, x25, x26, x27, x35, x36, x37, x45, x46, x47);
    p26 = nine(p26, w, x26, x27, x28, x36, x37, x38, x46, x47, x48);
    p30 = nine(p30, w, x30, x31, x32, x40, x41, x42, x50, x51, x52);
    p31 = nine(p31, w, x31, x32, x33, x41, x42, x43, x51, x52, x53);
    p32 = nine(p32, w, x32, x33, x34, x42, x43, x44, x52, x53, x54);
    p33 = nine(p33, w, x33, x34, x35, x43, x44, x45, x53, x54, x55);
    p34 = nine(p34, w, x34, x35, x36, x44, x45, x46, x54, x55, x56);
    p35 = nine(p35, w, x35, x36, x37, x45, x46, x47, x55, x56, x57);
    p36 = nine(p36, w, x36, x37, x38, x46, x47, x48, x56, x57, x58);
    p40 = nine(p40, w, x40, x41, x42, x50, x51, x52, x60, x61, x62);
    p41 = nine(p41, w, x41, x42, x43, x51, x52, x53, x61, x62, x63);
    p42 = nine(p42, w, x42, x43, x44, x52, x53, x54, x62, x63, x64);
    p43 = nine(p43, w, x43, x44, x45, x53, x54, x55, x63, x64, x65);
    p44 = nine(p44, w, x44, x45, x46, x54, x55, x56, x64, x65, x66);
    p45 = nine(p45, w, x45, x46, x47, x55, x56, x57, x65, x66, x67);
    p46 = nine(p46, w, x46, x47, x48, x56, x57, x58, x66, x67, x68);
    p50 = nine(p50, w, x50, x51, x52, x60, x61, x62, x70, x71, x72);
    p51 = nine(p51, w, x51, x52, x53, x61, x62, x63, x71, x72, x73);
    p52 = nine(p52, w, x52, x53, x54, x62, x63, x64, x72, x73, x74);
    p53 = nine(p53, w, x53, x54, x55, x63, x64, x65, x73, x74, x75);
    p54 = nine(p54, w, x54, x55, x56, x64, x65, x66, x74, x75, x76);
    p55 = nine(p55, w, x55, x56, x57, x65, x66, x67, x75, x76, x77);
    p56 = nine(p56, w, x56, x57, x58, x66, x67, x68, x76, x77, x78);
    p60 = nine(p60, w, x60, x61, x62, x70, x71, x72, x80, x81, x82);
    p61 = nine(p61, w, x61, x62, x63, x71, x72, x73, x81, x82, x83);
    p62 = nine(p62, w, x62, x63, x64, x72, x73, x74, x82, x83, x84);
    p63 = nine(p63, w, x63, x64, x65, x73, x74, x75, x83, x84, x85);
    p64 = nine(p64, w, x64, x65, x66, x74, x75, x76, x84, x85, x86);
    p65 = nine(p65, w, x65, x66, x67, x75, x76, x77, x85, x86, x87);
    p66 = nine(p66, w, x66, x67, x68, x76, x77, x78, x86, x87, x88);
    at += plane;
  }

  let b = vec4f(bias[o.x], bias[o.y], bias[o.z], bias[o.w]);
  finish(first, group.z, row + 0u, column + 0u, p00 + b);
  finish(first, group.z, row + 0u, column + 1u, p01 + b);
  finish(first, group.z, row + 0u, column + 2u, p02 + b);
  finish(first, group.z, row + 0u, column + 3u, p03 + b);
  finish(first, group.z, row + 0u, column + 4u, p04 + b);
  finish(first, group.z, row + 0u, column + 5u, p05 + b);
  finish(first, group.z, row + 0u, column + 6u, p06 + b);
  finish(first, group.z, row + 1u, column + 0u, p10 + b);
  finish(first, group.z, row + 1u, column + 1u, p11 + b);
  finish(first, group.z, row + 1u, column + 2u, p12 + b);
  finish(first, group.z, row + 1u, column + 3u, p13 + b);
  finish(first, group.z, row + 1u, column + 4u, p14 + b);
  finish(first, group.z, row + 1u, column + 5u, p15 + b);
  finish(first, group.z, row + 1u, column + 6u, p16 + b);
  finish(first, group.z, row + 2u, column + 0u, p20 + b);
  finish(first, group.z, row + 2u, column + 1u, p21 + b);
  finish(first, group.z, row + 2u, column + 2u, p22 + b);
  finish(first, group.z, row + 2u, column + 3u, p23 + b);
  finish(first, group.z, row + 2u, column + 4u, p24 + b);
  finish(first, group.z, row + 2u, column + 5u, p25 + b);
  finish(first, group.z, row + 2u, column + 6u, p26 + b);
  finish(first, group.z, row + 3u, column + 0u, p30 + b);
  finish(first, group.z, row + 3u, column + 1u, p31 + b);
  finish(first, group.z, row + 3u, column + 2u, p32 + b);
  finish(first, group.z, row + 3u, column + 3u, p33 + b);
  finish(first, group.z, row + 3u, column + 4u, p34 + b);
  finish(first, group.z, row + 3u, column + 5u, p35 + b);
  finish(first, group.z, row + 3u, column + 6u, p36 + b);
  finish(first, group.z, row + 4u, column + 0u, p40 + b);
  finish(first, group.z, row + 4u, column + 1u, p41 + b);
  finish(first, group.z, row + 4u, column + 2u, p42 + b);
  finish(first, group.z, row + 4u, column + 3u, p43 + b);
  finish(first, group.z, row + 4u, column + 4u, p44 + b);
  finish(first, group.z, row + 4u, column + 5u, p45 + b);
  finish(first, group.z, row + 4u, column + 6u, p46 + b);
  finish(first, group.z, row + 5u, column + 0u, p50 + b);
  finish(first, group.z, row + 5u, column + 1u, p51 + b);
  finish(first, group.z, row + 5u, column + 2u, p52 + b);
  finish(first, group.z, row + 5u, column + 3u, p53 + b);
  finish(first, group.z, row + 5u, column + 4u, p54 + b);
  finish(first, group.z, row + 5u, column + 5u, p55 + b);
  finish(first, group.z, row + 5u, column + 6u, p56 + b);
  finish(first, group.z, row + 6u, column + 0u, p60 + b);
  finish(first, group.z, row + 6u, column + 1u, p61 + b);
  finish(first, group.z, row + 6u, column + 2u, p62 + b);
  finish(first, group.z, row + 6u, column + 3u, p63 + b);
  finish(first, group.z, row + 6u, column + 4u, p64 + b);
  finish(first, group.z, row + 6u, column + 5u, p65 + b);
  finish(first, group.z, row + 6u, column + 6u, p66 + b);
}
