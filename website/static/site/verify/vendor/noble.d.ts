// What the proof takes of the bundle beside this file.
export function sha256(message: Uint8Array): Uint8Array;
export function hmac(hash: typeof sha256, key: Uint8Array, message: Uint8Array): Uint8Array;
export function bytesToHex(bytes: Uint8Array): string;
export function hexToBytes(hex: string): Uint8Array;
export interface Point {
  assertValidity(): void;
}
export interface Signatures {
  hash(message: Uint8Array, tag: Uint8Array): Point;
  verify(signature: Point, message: Point, key: Point): boolean;
}
export const bls12_381: {
  G1: { Point: { fromHex(hex: string): Point } };
  G2: { Point: { fromHex(hex: string): Point } };
  shortSignatures: Signatures;
  longSignatures: Signatures;
};
