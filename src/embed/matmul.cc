#include "embed/matmul.h"

#include <atomic>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <oneapi/dnnl/dnnl_version.h>
#include <string>
#include <utility>

namespace sosie::embed {
namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;

Type element_type(Arithmetic arithmetic) { return arithmetic == Arithmetic::bf16 ? Type::bf16 : Type::f32; }

// Right sides are packed as this many rows like them best; every other number takes the same layout.
constexpr std::size_t kTypicalRows = 32;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

Error failed(const dnnl::error& error) {
  const bool memory_ran_out = error.status == dnnl_out_of_memory;
  return {memory_ran_out ? ErrorCode::resource_exhausted : ErrorCode::internal, std::string("oneDNN: ") + error.what()};
}

memory::dim dim(std::size_t n) { return static_cast<memory::dim>(n); }

dnnl::matmul::primitive_desc describe(const memory::desc& left, const memory::desc& right, const memory::desc& product) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), left, right, product, attributes};
#else
  return {dnnl::matmul::desc(left, right, product), attributes, cpu()};
#endif
}

// What oneDNN prepares for one number of rows.
struct Plan {
  memory::desc left, product, scratch;
  dnnl::matmul matmul;
};

}  // namespace

struct MatmulShape::Impl {
  Impl(Arithmetic a, std::size_t d, std::size_t c, std::size_t max_rows)
      : element(element_type(a)), depth(d), columns(c), ready(max_rows + 1), right(layout(kTypicalRows).weights_desc()) {}

  memory::desc left_desc(std::size_t rows) const { return {{dim(rows), dim(depth)}, element, Tag::ab}; }
  memory::desc product_desc(std::size_t rows) const { return {{dim(rows), dim(columns)}, Type::f32, Tag::ab}; }

  dnnl::matmul::primitive_desc layout(std::size_t rows) const {
    return describe(left_desc(rows), {{dim(depth), dim(columns)}, element, Tag::any}, product_desc(rows));
  }

  const Plan& plan(std::size_t rows) {
    if (const Plan* known = ready[rows].load(std::memory_order_acquire)) return *known;
    const std::lock_guard lock(mutex);
    if (const Plan* known = ready[rows].load(std::memory_order_relaxed)) return *known;
    const auto description = describe(left_desc(rows), right, product_desc(rows));
    owned.push_back(std::make_unique<const Plan>(
        Plan{left_desc(rows), product_desc(rows), description.scratchpad_desc(), dnnl::matmul(description)}));
    ready[rows].store(owned.back().get(), std::memory_order_release);
    return *owned.back();
  }

  const Type element;
  const std::size_t depth, columns;
  std::mutex mutex;
  std::vector<std::unique_ptr<const Plan>> owned;
  std::vector<std::atomic<const Plan*>> ready;  // By rows.
  const memory::desc right;
};

MatmulShape::MatmulShape(Arithmetic arithmetic, std::size_t depth, std::size_t columns, std::unique_ptr<Impl> impl)
    : arithmetic_(arithmetic), depth_(depth), columns_(columns), impl_(std::move(impl)) {}
MatmulShape::~MatmulShape() = default;

Result<std::unique_ptr<MatmulShape>> MatmulShape::create(Arithmetic arithmetic, std::size_t depth, std::size_t columns, std::size_t max_rows) {
  const SingleThreaded here;
  try {
    auto impl = std::make_unique<Impl>(arithmetic, depth, columns, max_rows);
    return std::unique_ptr<MatmulShape>(new MatmulShape(arithmetic, depth, columns, std::move(impl)));
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) return failed(error);
    return Error{ErrorCode::unsupported, "this CPU cannot multiply matrices in the precision asked for: choose f32"};
  }
}

struct PackedMatrix::Impl {
  memory elements;
};

PackedMatrix::PackedMatrix(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PackedMatrix::PackedMatrix(PackedMatrix&&) noexcept = default;
PackedMatrix& PackedMatrix::operator=(PackedMatrix&&) noexcept = default;
PackedMatrix::~PackedMatrix() = default;

Result<PackedMatrix> PackedMatrix::pack(const MatmulShape& shape, const void* elements) {
  const SingleThreaded here;
  try {
    auto impl = std::make_unique<Impl>(Impl{memory(shape.impl_->right, cpu())});
    const memory::desc plain({dim(shape.depth()), dim(shape.columns())}, shape.impl_->element, Tag::ba);
    memory source(plain, cpu(), const_cast<void*>(elements));  // Only read.
    dnnl::stream stream(cpu());
    dnnl::reorder(source, impl->elements).execute(stream, source, impl->elements);
    stream.wait();
    return PackedMatrix(std::move(impl));
  } catch (const dnnl::error& error) {
    return failed(error);
  }
}

struct MatmulRunner::Impl {
  // The memory objects of one plan; their buffers are set at every run.
  struct Bound {
    const Plan* plan = nullptr;
    memory left, product, scratch;
  };

  Bound& bound(const Plan& plan) {
    for (Bound& b : recent) {
      if (b.plan == &plan) return b;
    }
    Bound& b = recent[next++ % recent.size()];
    b.plan = nullptr;
    b.left = memory(plan.left, cpu(), nullptr);
    b.product = memory(plan.product, cpu(), nullptr);
    b.scratch = memory(plan.scratch, cpu());
    b.plan = &plan;
    return b;
  }

  dnnl::stream stream{cpu()};
  std::array<Bound, 4> recent;  // A transformer layer has four products.
  std::size_t next = 0;
};

MatmulRunner::MatmulRunner() : impl_(std::make_unique<Impl>()) {}
MatmulRunner::~MatmulRunner() = default;

Result<void> MatmulRunner::run(const MatmulShape& shape, const PackedMatrix& right, std::size_t rows, const void* left, float* product) {
  const SingleThreaded here;
  try {
    const Plan& plan = shape.impl_->plan(rows);
    Impl::Bound& bound = impl_->bound(plan);
    bound.left.set_data_handle(const_cast<void*>(left));  // Only read.
    bound.product.set_data_handle(product);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, bound.left.get()},
                                         {DNNL_ARG_WEIGHTS, right.impl_->elements.get()},
                                         {DNNL_ARG_DST, bound.product.get()},
                                         {DNNL_ARG_SCRATCHPAD, bound.scratch.get()}};
    const dnnl_status_t status = dnnl_primitive_execute(plan.matmul.get(), impl_->stream.get(), 4, arguments);
    if (status != dnnl_success) return failed(dnnl::error(status, "a matrix product failed"));
    return {};
  } catch (const dnnl::error& error) {
    return failed(error);
  }
}

}  // namespace sosie::embed
