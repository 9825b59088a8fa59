/*
 * The library's header: everything, layer by layer. Programs compile with `pkg-config --cflags libpt` and
 * link with `pkg-config --static --libs libpt`. The headers below are the manual; read them in this order.
 */
#ifndef PT_H
#define PT_H

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "base/threads.h"
#include "base/utf8.h"

#include "io/folder.h"
#include "io/map.h"
#include "io/sink.h"
#include "io/source.h"

#include "fmt/dtype.h"
#include "fmt/json.h"
#include "fmt/pytorch_file.h"
#include "fmt/safetensors.h"
#include "fmt/stream.h"
#include "fmt/tensors.h"

#include "text/template.h"
#include "text/tokenizer.h"

#include "math/math.h"

#include "model/cache.h"
#include "model/config.h"
#include "model/engine.h"
#include "model/model.h"
#include "model/plugs.h"

#include "generate/generator.h"
#include "generate/settings.h"

#include "tune/parameters.h"
#include "tune/tuned.h"

#endif
