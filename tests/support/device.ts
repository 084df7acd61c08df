// One device for all tests of a file.

import { type Device, openDevice } from '../../engine/device.ts';

export const device: Device = await openDevice();
