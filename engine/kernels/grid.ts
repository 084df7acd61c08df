// How elementwise kernels share out their elements.

/** Elements that one workgroup of an elementwise kernel computes: 64 invocations, 4 elements each. */
export const perGroup = 256;
