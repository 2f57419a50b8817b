// Carries the precompiled headers; see bonus_pch in BonusLibrary.cmake.
